"""Where requests to other servers may go, however it is spelt."""

from __future__ import annotations

import asyncio
import socket

import pytest

from undercroft.http.calling import call, post
from undercroft.http.outgoing import LARGEST, Call, OutgoingFailed, OutgoingRefused, find_target

INSIDE = [
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1"),
    *("0177.0.0.1", "017700000001", "0177.1", "00000177.0.0.1", "0", "00.0.0.0", "0x0", "0.1.2.3", "localhost"),
    *("LOCALHOST", "localhost.", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376"),
    *("0xa9.0xfe.0xa9.0xfe", "169.254.43518", "169.16689662", "10.0.0.1", "167772161", "0x0a000001", "012.0.0.1"),
    *("10.1", "172.16.0.1", "172.31.255.255", "2886729729", "192.168.0.1", "3232235521", "0xc0a80001", "192.168.1"),
    *("100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("240.0.0.1", "255.255.255.255", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]"),
    *("[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:0:0:0:0:80ff:fffe]"),
    *("[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[100::1]"),
    *("[2606:4700::5efe:7f00:1]", "１２７.0.0.1"),
]
BAD = [
    *("ftp://example.com", "file:///etc/passwd", "//example.com", "example.com", "http://", "http://a:b@127.0.0.1"),
    *("http://[::1", "http://example.com:99999", "gopher://127.0.0.1", "http://user@127.0.0.1", ""),
]


def test_there_are_sixty():
    """As many spellings as were promised."""
    assert len(set(INSIDE)) >= 60


@pytest.mark.parametrize("host", INSIDE)
async def test_nothing_inside_is_reached(host):
    """No spelling of an address that is not on the internet leads anywhere."""
    with pytest.raises((OutgoingRefused, OutgoingFailed)):
        await find_target(f"http://{host}/latest/meta-data")


@pytest.mark.parametrize("url", BAD)
async def test_what_is_no_url_is_refused(url):
    """Other schemes, passwords and broken URLs are refused."""
    with pytest.raises(OutgoingRefused):
        await find_target(url)


@pytest.mark.parametrize("host", ["1.1.1.1", "[2606:4700:4700::1111]", "[2002:101:101::1]"])
async def test_the_internet_is_reached(host):
    """A public address is where it leads."""
    assert (await find_target(f"https://{host}/in?a=1")).url.endswith(":443/in?a=1")


class Names:
    """A name server that answers something else each time."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    async def getaddrinfo(self, name, port, **_options):
        assert name
        self.asked += 1
        found = self.answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


@pytest.fixture
def names(monkeypatch):
    """Puts such a name server in the place of the loop's own."""

    def put(*answers):
        made = Names(*answers)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", made.getaddrinfo, raising=False)
        return made

    return put


async def test_a_name_is_asked_once(names):
    """What a name means a moment later does not matter: the address that was looked at is the one that is used."""
    asked = names(["1.1.1.1"], ["127.0.0.1"])
    target = await find_target("http://rebind.example.com/x")

    assert (target.url, target.host, asked.asked) == ("http://1.1.1.1:80/x", "rebind.example.com", 1)


async def test_every_address_of_a_name_is_looked_at(names):
    """One address inside is enough to refuse a name."""
    names(["1.1.1.1", "10.0.0.1"])
    with pytest.raises(OutgoingRefused):
        await find_target("http://both.example.com")


@pytest.fixture
async def server():
    """A server that answers as it is told, and notes what it was asked."""

    class Server:
        answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        is_silent = False

    told = Server()
    told.asked = []

    async def talk(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        told.asked.append(head)
        if told.is_silent:
            await reader.read()  # until the other side goes away
        try:
            writer.write(told.answer)
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/in"
    yield told
    listening.close()


async def test_a_network_may_be_allowed(server):
    """A private network that is named is reached; without its name it is not."""
    with pytest.raises(OutgoingRefused):
        await post(server.url, b"{}", {})
    assert (await post(server.url, b"{}", {}, ["127.0.0.0/8"])).number == 204
    assert len(server.asked) == 1


async def test_redirects_are_not_followed(server):
    """A redirect is the answer, wherever it points."""
    server.answer = b"HTTP/1.1 302 Found\r\nLocation: " + server.url.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    reply = await post(server.url, b"{}", {}, ["127.0.0.0/8"])

    assert (reply.number, len(server.asked)) == (302, 1)


async def test_no_more_than_a_mebibyte_is_read(server):
    """Whoever answers without end is listened to for so long."""
    server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (3 * LARGEST)

    reply = await post(server.url, b"{}", {}, ["127.0.0.0/8"])

    assert (len(reply.body), reply.is_cut) == (LARGEST, True)


async def test_all_that_may_be_read_is_not_cut(server):
    """An answer of exactly as many bytes as are read is whole."""
    server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 10

    replies = [await call(Call(server.url, networks=["127.0.0.0/8"], largest=size)) for size in (9, 10)]

    assert [(len(reply.body), reply.is_cut) for reply in replies] == [(9, True), (10, False)]


def pointing(location):
    return b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n"


async def test_redirects_are_followed_when_asked(server):
    """So many redirects are followed, and the next is the answer."""
    server.answer = pointing("/elsewhere?a=1")
    reply = await call(Call(server.url, networks=["127.0.0.0/8"], redirects=2))

    assert (reply.number, len(server.asked)) == (302, 3)
    assert server.asked[-1].startswith(b"GET /elsewhere?a=1 ")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:{port}", "[::ffff:127.0.0.1]:{port}", "169.254.169.254"])
async def test_redirects_lead_nowhere_inside(server, host):
    """A redirect to another host is looked at as if no network had been named, and takes no header along."""
    port = server.url.split(":")[2].split("/")[0]
    server.answer = pointing("http://" + host.format(port=port) + "/in")
    with pytest.raises(OutgoingRefused):
        await call(Call(server.url, headers={"Authorization": "x"}, networks=["127.0.0.0/8"], redirects=3))

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://[::1", "javascript:alert(1)", "http://a:b@127.0.0.1/"]
)
async def test_redirects_to_no_url_are_refused(server, location):
    """What is no URL is not followed."""
    server.answer = pointing(location)
    with pytest.raises(OutgoingRefused):
        await call(Call(server.url, networks=["127.0.0.0/8"], redirects=3))


async def test_the_next_address_is_tried(server, names):
    """Where nobody answers at the first address of a name, the second is asked."""
    names(["127.0.0.2", "127.0.0.1"])
    reply = await call(Call(server.url.replace("127.0.0.1", "idp.example.com"), networks=["127.0.0.0/8"]))

    assert reply.number == 204
    assert b"\r\nHost: idp.example.com:" in server.asked[0]


async def test_silence_is_waited_for_so_long(server, monkeypatch):
    """Whoever does not answer in time has failed."""
    monkeypatch.setattr("undercroft.http.calling.SECONDS", 0.2)
    server.is_silent = True
    with pytest.raises(OutgoingFailed):
        await post(server.url, b"{}", {}, ["127.0.0.0/8"])
