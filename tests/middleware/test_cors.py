"""Which origins may read answers."""

import pytest

from undercroft.middleware.cors import Cors


class Asked:
    """A request from a page of some origin."""

    def __init__(self, origin):
        self.origin = origin

    def header(self, name):
        return self.origin.encode() if name == b"origin" and self.origin else None


def told(origins, origin):
    headers = dict(Cors(origins).headers(Asked(origin)))

    assert b"access-control-allow-credentials" not in headers
    return headers.get(b"access-control-allow-origin", b"").decode()


@pytest.mark.parametrize("origin", ["https://app.example.com", "null", "http://[::1]:3000"])
def test_open(origin):
    """By default everybody may, so nobody is named."""
    assert told(["*"], origin) == "*"


@pytest.mark.parametrize(
    ("origins", "origin"),
    [
        (["https://app.example.com"], "https://app.example.com"),
        (["https://*.example.com"], "https://a.b.example.com"),
        (["http://[::1]:3000"], "http://[::1]:3000"),
        (["https://a.example", "https://b.example"], "https://b.example"),
    ],
)
def test_listed(origins, origin):
    """A listed origin, or one that fits a pattern, is named."""
    assert told(origins, origin) == origin


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://example.com.evil.example",
        "https://evil-example.com",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://appXexample.com",
        "HTTPS://APP.EXAMPLE.COM",
        "null",
        "",
    ],
)
@pytest.mark.parametrize("origins", [["https://app.example.com"], ["https://*.app.example.com"], []])
def test_others(origins, origin):
    """Whoever resembles a listed origin is not it."""
    assert told(origins, origin) == ""
