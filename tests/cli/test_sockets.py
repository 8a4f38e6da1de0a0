"""Bytes on a socket, as hostile clients send them, to the real server."""

import time

import pytest
from network import free_port
from program import connect, read_all, serving, talk

CLOSE = b"Host: x\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    port = free_port()
    with serving(port, folder=tmp_path_factory.mktemp("site")):
        yield port


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /api/health HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET /api/health HTTP/1.1\r\nHost: x\r\nAuthorization: a\0b\r\n\r\n", b"400"),
        (b"POST /api/health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\n", b"400"),
        (b"POST /api/health HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET /api/health HTTP/1.1\r\n" + CLOSE + b"Folded: a\r\n b\r\n\r\n", b"400"),
        (b"GET /api/./health HTTP/1.1\r\n" + CLOSE + b"\r\n", b"307"),
        (b"GET /api/%ff HTTP/1.1\r\n" + CLOSE + b"\r\n", b"404"),
        (b"TRACE /api/health HTTP/1.1\r\n" + CLOSE + b"\r\n", b"404"),
        (b"GET /api/health?" + b"a" * 8000 + b" HTTP/1.1\r\n" + CLOSE + b"\r\n", b"200"),
    ],
)
def test_odd_requests(port, request_bytes, status):
    """What is no request is refused, what is an odd one is answered."""
    assert talk(port, request_bytes)[9:12] == status


def test_health_keeps_answering(port):
    """After a hundred broken requests the server is as it was."""
    for number in range(100):
        connection = connect(port)
        connection.sendall(b"POST /api/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{" * (number % 3))
        connection.close()

    assert talk(port, b"GET /api/health HTTP/1.1\r\n" + CLOSE + b"\r\n")[9:12] == b"200"


def test_announced_body_is_refused_unread(port):
    """A body that says it is too large is refused before it is sent."""
    head = b"POST /api/collections/_superusers/auth-with-password HTTP/1.1\r\n" + CLOSE
    answer = talk(port, head + b"Content-Type: application/json\r\nContent-Length: 999999999\r\n\r\n")

    assert answer[9:12] == b"413"
    assert b"Request entity too large." in answer


def test_chunks_without_end_are_refused(port):
    """A body in chunks is refused once it has grown too large."""
    head = b"POST /api/collections/_superusers/auth-with-password HTTP/1.1\r\n" + CLOSE
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with connect(port) as connection:
        connection.sendall(head + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(40):
                connection.sendall(chunk)
        except OSError:
            return
        assert read_all(connection)[9:12] == b"413"


def test_pipelined_requests(port):
    """Requests sent at once are answered in order."""
    first = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = talk(port, first * 3 + b"GET /api/nope HTTP/1.1\r\n" + CLOSE + b"\r\n")

    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"200", b"404"]


@pytest.mark.slow
def test_slow_headers_are_cut(port):
    """Who takes too long for the headers is cut off."""
    began = time.monotonic()
    with connect(port) as connection:
        connection.sendall(b"GET /api/health HTTP/1.1\r\nHost:")
        read_all(connection, silence=30)

    assert time.monotonic() - began < 20
