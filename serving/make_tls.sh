#!/usr/bin/env sh
# Makes an authority and certificates for trying TLS out, and the file for
# tensorflow_model_server --ssl_config_file=. In production take certificates
# that somebody else trusts, and write ssl.pbtxt from them in the same way.
#
#   sh serving/make_tls.sh DIRECTORY [HOST]
set -eu
directory=${1:?pass a directory}
host=${2:-localhost}
umask 077
mkdir -p "$directory"
cd "$directory"

openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=authority \
  -keyout ca.key -out ca.crt 2>/dev/null
printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\n' "$host" >names
for name in server client; do
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" \
    -keyout "$name.key" -out "$name.csr" 2>/dev/null
  openssl x509 -req -days 365 -in "$name.csr" -CA ca.crt -CAkey ca.key \
    -CAcreateserial -extfile names -out "$name.crt" 2>/dev/null
done

# Prints a file as the value of a text proto's string field.
quoted() {
  sed 's/.*/  "&\\n"/' "$1"
}
{
  echo 'server_key:'
  quoted server.key
  echo 'server_cert:'
  quoted server.crt
  # With these two a client must have a certificate of this authority.
  echo 'custom_ca:'
  quoted ca.crt
  echo 'client_verify: true'
} >ssl.pbtxt
rm -f names ./*.csr
echo "Wrote $directory/ssl.pbtxt, ca.crt, client.crt and client.key."
