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
    ],
)
def test_url_is_taken_apart(url, expected):
    assert parse_url(url) == expected


def test_address_knows_its_protocol_and_its_security():
    kinds = {
        scheme: (address.is_grpc, address.has_tls)
        for scheme in ("grpc", "grpcs", "http", "https")
        for address in [parse_url(f"{scheme}://h")]
    }
    assert kinds == {
        "grpc": (True, False),
        "grpcs": (True, True),
        "http": (False, False),
        "https": (False, True),
    }


def test_address_is_shown_with_its_protocol():
    assert str(parse_url("grpc://localhost")) == "localhost:8500 (gRPC)"
    assert str(parse_url("http://h:1/a/")) == "h:1/a (REST)"
    assert parse_url("http://h:1/a/").url == "http://h:1/a"


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
        ("grpc://h:1/a", "no path with gRPC: `grpc://h:1`"),
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
