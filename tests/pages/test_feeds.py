"""Feeds, the map of a site, and what it tells robots."""

from __future__ import annotations

from xml.etree import ElementTree as ET

FEED = """
from undercroft.pages.feeds import Entry, feed


async def get(request):
    terms = await request.records.terms.list(sort="-published")
    entries = [Entry(t.title, f"/terms/{t.slug}", t.published, t.body, "Ada") for t in terms]
    return feed(request, "New terms", entries, path="/terms")
"""
TERM = """
async def sitemap(request):
    terms = await request.records.terms.list(per_page=500)
    return [(f"/terms/{term.slug}", term.published) for term in terms]
"""
ATOM = "{http://www.w3.org/2005/Atom}"
MAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


async def test_feed(serve):
    """A feed has an entry for each record, with whole URLs and moments."""
    world = await serve({"pages/feed.xml.py": FEED})
    await world.add(title="Queue & more", slug="queue", body="<p>a <b>line</b></p>")

    answer = await world.get("/feed.xml")

    feed = ET.fromstring(answer.body)  # noqa: S314 - our own answer
    entry = feed.find(f"{ATOM}entry")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert feed.findtext(f"{ATOM}updated") == "2026-03-04T05:06:07+00:00"
    assert [link.get("href") for link in feed.findall(f"{ATOM}link")] == [
        *("http://testserver/terms", "http://testserver/feed.xml")
    ]
    assert (entry.findtext(f"{ATOM}title"), entry.findtext(f"{ATOM}id")) == (
        "Queue & more",
        "http://testserver/terms/queue",
    )
    assert entry.findtext(f"{ATOM}content") == "<p>a <b>line</b></p>"


async def test_map_of_the_site(serve):
    """The map has the pages, and those that scripts tell of, as a guest may see them."""
    world = await serve(
        {
            "pages/index.html": "",
            "pages/about.md": "x",
            "pages/secret.html": "---\nsitemap: false\n---\n",
            "pages/404.html": "",
            "pages/feed.xml": "",
            "pages/hook.py": "async def post(request):\n    return None\n",
            "pages/terms/[slug].html": "",
            "pages/terms/[slug].py": TERM,
            "pages/people/[id].html": "",
        }
    )
    await world.add(title="Queue", slug="queue")
    await world.add(title="Draft", slug="draft", published="", author=world.ada_id)

    answer = await world.get("/sitemap.xml", as_=world.ada)

    urls = ET.fromstring(answer.body).findall(f"{MAP}url")  # noqa: S314 - our own answer
    assert {url.findtext(f"{MAP}loc"): url.findtext(f"{MAP}lastmod") for url in urls} == {
        "http://testserver/": None,
        "http://testserver/about": None,
        "http://testserver/terms/queue": "2026-03-04T05:06:07+00:00",
    }


async def test_whole_urls_are_those_of_the_settings(serve):
    """Once the application's URL is set, maps and feeds begin with it."""
    world = await serve({"pages/index.html": ""})
    settings = {
        "meta": {"appURL": "https://example.com/", "appName": "X", "senderName": "X", "senderAddress": "x@example.com"}
    }
    changed = await world.client.patch("/api/settings", settings, as_=world.root)

    assert changed.status == 200
    assert "<loc>https://example.com/</loc>" in await world.shown("/sitemap.xml")


async def test_robots(serve_files):
    """Robots are told where the map is, unless the site tells them something else."""
    world = await serve_files({"pages/index.html": ""})

    assert await world.shown("/robots.txt") == "User-agent: *\nAllow: /\nSitemap: http://testserver/sitemap.xml\n"
    world.write({"public/robots.txt": "mine"})
    assert await world.shown("/robots.txt") == "mine"


async def test_site_has_its_own_map(serve_files):
    """A page or file of that name takes the place of the map."""
    world = await serve_files({"pages/sitemap.xml": "mine"})

    assert await world.shown("/sitemap.xml") == "mine"
