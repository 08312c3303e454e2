import pytest

from kerassent.client._address import Address, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("grpc://localhost:8500", Address("grpc", "localhost:8500")),
        ("grpc://localhost", Address("grpc", "localhost:8500")),
        ("grpcs://model.example/", Address("grpcs", "model.example:8500")),
        ("http://localhost", Address("http", "localhost:8501")),
        ("http://localhost:80//", Address("http", "localhost:80")),
        ("https://h/a/b/", Address("https", "h:8501", "/a/b")),
        ("http://[::1]:9", Address("http", "[::1]:9")),
        ("grpc://[::1]", Address("grpc", "[::1]:8500")),
        ("GRPC://Host:1", Address("grpc", "host:1")),
        ("grpc://h:1/a/b/", Address("grpc", "h:1", "/a/b")),
        ("unix:///run/a b.sock", Address("unix", "/run/a b.sock")),
        ("UNIX:///a#b?c", Address("unix", "/a#b?c")),
    ],
)
def test_url_is_taken_apart(url, expected):
    assert parse_url(url) == expected


def test_address_knows_its_protocol_and_its_security():
    kinds = {
        scheme: (address.is_grpc, address.has_tls)
        for scheme in ("grpc", "grpcs", "http", "https", "unix")
        for address in [Address(scheme, "h")]
    }
    assert kinds == {
        "grpc": (True, False),
        "grpcs": (True, True),
        "http": (False, False),
        "https": (False, True),
        "unix": (True, False),
    }


def test_address_is_shown_with_its_protocol():
    assert str(parse_url("grpc://localhost")) == "localhost:8500 (gRPC)"
    assert str(parse_url("http://h:1/a/")) == "h:1/a (REST)"
    assert parse_url("http://h:1/a/").url == "http://h:1/a"
    assert str(parse_url("unix:///a.sock")) == "/a.sock (gRPC)"
    assert parse_url("unix:///a.sock").url == "unix:///a.sock"


def test_grpc_has_its_own_name_for_an_address():
    assert parse_url("grpcs://h").grpc_target == "dns:///h:8500"
    assert parse_url("grpc://[::1]:9/a").grpc_target == "dns:///[::1]:9"
    assert parse_url("unix:///a.sock").grpc_target == "unix:/a.sock"
    assert parse_url("unix:///a#b?c%20 é").grpc_target == (
        "unix:/a%23b%3Fc%2520%20%C3%A9"
    )


@pytest.mark.parametrize("url", ["localhost:8500", "127.0.0.1:8500", ""])
def test_bare_host_is_refused_with_both_suggestions(url):
    with pytest.raises(
        ValueError, match=f"`grpc://{url}` or `http://{url}`\\? Received: url="
    ):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://h:1", "must begin with `grpc://`, `grpcs://`, `http://`"),
        ("grpc://", "must name a host and a port above 0"),
        ("grpc://:8500", "must name a host and a port above 0"),
        ("grpc://h:0", "must name a host and a port above 0"),
        ("grpc://h:70000", "is not a URL .*Port out of range"),
        ("grpc://h:x", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("http://a..b", "is not a URL .*label empty or too long"),
        ("http://h?a=1", "must end after the host, port and path"),
        ("http://h#a", "must end after the host, port and path"),
        ("http://h/v1/models/m", "must end before `/v1`"),
        ("grpc://h:1/v1/models/m", "must end before `/v1`"),
        ("unix://a.sock", "must have the absolute path of a socket"),
        ("unix://", "must have the absolute path of a socket"),
        ("unix:///a\n", "must have the absolute path of a socket"),
    ],
)
def test_other_urls_are_refused_with_the_url_received(url, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_url(url)
    assert f"Received: url={url!r}" in str(caught.value)


def test_password_in_url_is_refused_without_repeating_it():
    with pytest.raises(ValueError, match="Pass `headers=") as caught:
        parse_url("http://me:secret@h")
    assert "secret" not in str(caught.value)


def test_url_of_another_type_is_refused():
    with pytest.raises(TypeError, match="Received: 8500 of type int"):
        parse_url(8500)
