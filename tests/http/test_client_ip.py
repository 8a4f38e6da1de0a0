"""Where requests come from."""

import pytest

from undercroft.http.client_ip import client_ip, is_listed

FORWARDED = [(b"x-forwarded-for", b"1.1.1.1, 2.2.2.2"), (b"x-forwarded-for", b"3.3.3.3, 4.4.4.4, junk")]


@pytest.mark.parametrize(
    ("headers", "trusted", "leftmost", "address"),
    [
        (FORWARDED, [], False, "9.9.9.9"),
        (FORWARDED, ["X-Forwarded-For"], False, "4.4.4.4"),
        (FORWARDED, ["X-Forwarded-For"], True, "3.3.3.3"),
        (FORWARDED, ["X-Real-IP"], False, "9.9.9.9"),
        (FORWARDED, ["X-Real-IP", "X-Forwarded-For"], False, "4.4.4.4"),
        ([(b"x-real-ip", b"junk")], ["X-Real-IP"], False, "9.9.9.9"),
        ([(b"x-real-ip", b"::1")], ["X-Real-IP"], False, "0000:0000:0000:0000:0000:0000:0000:0001"),
        ([(b"x-real-ip", b"::ffff:10.0.0.1")], ["X-Real-IP"], False, "10.0.0.1"),
    ],
)
def test_client_ip(headers, trusted, leftmost, address):
    """Only trusted headers are believed, in their last occurrence, from the asked end."""
    assert client_ip("9.9.9.9", headers, trusted, leftmost=leftmost) == address


@pytest.mark.parametrize(
    ("address", "listed", "answer"),
    [
        ("127.0.0.1", ["127.0.0.1"], True),
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("::1", ["127.0.0.1", "::/127"], True),
        ("", ["0.0.0.0/0"], False),
        ("junk", ["0.0.0.0/0"], False),
    ],
)
def test_is_listed(address, listed, answer):
    """An address is listed alone or in a network; what is no address never is."""
    assert is_listed(address, listed) is answer
