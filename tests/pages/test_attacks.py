"""Attacks on pages: script in records, and caches made to keep what is not for all."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from payloads import PAYLOADS

PAGE = """<!doctype html><title>{{ t.title }}</title><p title="{{ t.title }}">{{ t.title }}</p>
<div>{{ t.body | html }}</div><div>{{ t.body | markdown }}</div><p>{{ t.body | plain(40) }}</p>
<p>{{ request.query.q }}</p>"""
HARMLESS = {
    "html",
    "head",
    "title",
    "body",
    "p",
    "div",
    "a",
    "img",
    "em",
    "strong",
    "code",
    "pre",
    "b",
    "i",
    "table",
    "svg",
}
HARMLESS |= {"details", "tbody", "tr", "td", "math", "span", "br", "ul", "li", "ol"}


class Danger(HTMLParser):
    """What a browser would run or send in a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in HARMLESS:
            self.found.append(tag)
        for name, value in attrs:
            told = re.sub(r"\s", "", value or "").lower()
            if name.startswith(("on", "hx-", "data-hx")) or name in {"srcdoc", "style"}:
                self.found.append(f"{tag} {name}")
            if told.startswith(("javascript:", "data:", "vbscript:")):
                self.found.append(f"{tag} {name}={told}")


async def test_records_cannot_bring_script(serve):
    """Whatever a record or a query holds, the page has no element, attribute or link that runs anything."""
    world = await serve({"pages/[id].html": "{% set t = records.terms.get(params.id) %}" + PAGE})
    found = {}

    for payload in PAYLOADS:
        record = await world.add(title=payload[:60], body=payload)
        danger = Danger()
        danger.feed(await world.shown(f"/{record['id']}", q=payload))
        found[payload] = danger.found

    assert {payload: what for payload, what in found.items() if what} == {}
    assert len(found) >= 100


async def test_feeds_cannot_bring_script(serve):
    """Neither has a feed."""
    script = (
        "from undercroft.pages.feeds import Entry, feed\n\n"
        "async def get(request):\n"
        "    terms = await request.records.terms.list()\n"
        "    return feed(request, 'Terms', [Entry(t.title, '/terms/x', t.published, t.body) for t in terms])\n"
    )
    world = await serve({"pages/feed.xml.py": script, "pages/index.html": ""})
    await world.add(title="</title><script>", body="<p>fine</p><script>alert(1)</script><a href='javascript:x'>y</a>")

    text = await world.shown("/feed.xml")

    assert "<script" not in text
    assert "&lt;script" not in text.replace("<title>&lt;/title&gt;&lt;script&gt;</title>", "")
    assert "javascript:" not in text


async def test_suffixes_do_not_reach_private_pages(serve):
    """A private page is not there under the name of a static file, which a cache would keep for everyone."""
    world = await serve(
        {
            "pages/account.html": "private: {{ user.name if user }}",
            "pages/people/[name].html": "private: {{ user.name if user }}",
            "pages/docs/[...rest].html": "private: {{ user.name if user }}",
        }
    )
    suffixes = [
        "/x.css",
        ".css",
        ";x.css",
        "%3Bx.css",
        "%2Fx.css",
        "%3Fx.css",
        "%23x.css",
        "%00x.css",
        "/x.js",
        ".ICO",
        "%0a.png",
    ]
    paths = [base + suffix for base in ("/account", "/people/ada", "/docs/a") for suffix in suffixes]

    statuses = {path: (await world.get(path, as_=world.ada)).status for path in paths}

    assert {path: status for path, status in statuses.items() if status != 404} == {}
    assert await world.shown("/people/ada", as_=world.ada) == "private: Ada"


UNKEYED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Scheme": "http",
    "X-Forwarded-Proto": "gopher",
    "X-Original-URL": "/other",
    "X-Rewrite-URL": "/other",
    "X-Host": "evil.example",
    "Forwarded": "host=evil.example",
    "X-HTTP-Method-Override": "POST",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Port": "1",
    "Range": "bytes=0-1",
    "Origin": "https://evil.example",
    "Accept-Language": "xx",
    "Referer": "https://evil.example",
    "User-Agent": "evil",
}


@pytest.mark.parametrize("name", UNKEYED)
async def test_headers_do_not_change_what_caches_keep(serve_files, name):
    """A header that is no part of a cache's key changes nothing in a page that it may keep."""
    files = {
        "pages/index.html": "{{ request.url }} {{ request.origin }} {{ url_for('index') }}",
        "pages/other.html": "o",
    }
    world = await serve_files({**files, "pages/index.py": "async def post(request):\n    return {'x': 1}\n"})
    plain = await world.get("/")

    told = await world.get("/", headers={name: UNKEYED[name]})

    same = {key for key in plain.headers if key != "x-request-id"}
    assert (told.status, told.text) == (plain.status, plain.text)
    assert {key: told.headers[key] for key in same} == {key: plain.headers[key] for key in same}


async def test_body_of_a_get_is_not_read(serve_files):
    """A GET with a body is answered as one without: what caches keep by the URL depends on nothing else."""
    world = await serve_files(
        {
            "pages/index.html": "{{ form }}{{ request.query.q }}",
            "pages/index.py": "async def get(request):\n    return {'form': dict(await request.form())}",
        }
    )
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await world.client.request("GET", "/", body=b"q=evil&_method=POST", headers=kind, q="good")

    assert answer.text == "{}good"


@pytest.mark.parametrize("query", ["?q=1&q=2", "?q=1;q=2", "?%71=1&q=2", "?q=1%26q=2"])
async def test_one_value_a_parameter(serve_files, query):
    """Of a parameter that is given twice the first counts, and a semicolon parts nothing."""
    world = await serve_files({"pages/index.html": "[{{ request.query.q or '' }}]"})

    assert await world.shown("/" + query) in {"[1]", "[]", "[1&amp;q=2]"}


@pytest.mark.parametrize("host", ["evil.example/x", "a b", 'x"><script>', "evil.example@good.example", "x" * 300])
async def test_host_is_written_into_no_page(serve_files, host):
    """A strange Host header does not come back in links, maps or feeds."""
    world = await serve_files({"pages/index.html": "{{ request.origin }}"})

    text = await world.shown("/sitemap.xml", headers={"Host": host}) + await world.shown("/", headers={"Host": host})

    assert host not in text
    assert "http://localhost" in text


async def test_forms_of_other_sites_are_refused(serve_files):
    """What a page of another site sends is refused before a script sees it; a program without a browser may send."""
    world = await serve_files(
        {"pages/index.py": "async def post(request):\n    return None\n", "pages/index.html": "x"}
    )

    async def send(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await world.client.post("/", form={"a": "b"}, headers=named)).status

    assert await send(Sec_Fetch_Site="cross-site") == 403
    assert await send(Sec_Fetch_Site="same-site") == 403
    assert await send(Origin="https://evil.example") == 403
    assert await send(Origin="null") == 403
    assert await send(Sec_Fetch_Site="same-origin") == 200
    assert await send(Origin="http://testserver") == 200
    assert await send() == 200
