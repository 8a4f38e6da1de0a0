"""Pages: templates in layouts, scripts beside them, Markdown, blocks alone."""

from __future__ import annotations

import pytest

from undercroft.testing import TestClient

LAYOUT = "<html><title>{{ title }}</title>{{ content }}</html>"


async def test_page_stands_in_its_layouts(serve_files):
    """A page is wrapped by the layout of its folder and those above, and its names reach them all."""
    world = await serve_files(
        {
            "pages/_layout.html": LAYOUT,
            "pages/terms/_layout.html": "<main>{{ content }}</main>",
            "pages/terms/index.html": '{% set title = "Terms & more" %}\n<p>all</p>',
        }
    )

    text = await world.shown("/terms")

    assert text == "<html><title>Terms &amp; more</title><main><p>all</p></main></html>"


async def test_page_chooses_its_layout(serve_files):
    """`extends`, `layout: false` and `layout: name` in the front matter take the place of the layouts around."""
    world = await serve_files(
        {
            "pages/_layout.html": LAYOUT,
            "pages/_base.html": "<b>{% block body %}{% endblock %}</b>",
            "pages/_bare.html": "<i>{{ content }}</i>",
            "pages/a.html": '{% extends "_base.html" %}{% block body %}a{% endblock %}',
            "pages/b.html": "---\nlayout: false\n---\nb",
            "pages/c.html": "---\nlayout: _bare.html\n---\nc",
        }
    )

    assert [await world.shown(path) for path in ("/a", "/b", "/c")] == ["<b>a</b>", "b", "<i>c</i>"]


async def test_markdown_is_a_page(serve_files):
    """Markdown is HTML in the layout, with the names of its front matter."""
    world = await serve_files(
        {"pages/_layout.html": LAYOUT, "pages/about.md": '---\ntitle: About us\ntags: ["a"]\n---\n# Us\n\n`{{ x }}`'}
    )

    text = await world.shown("/about")

    assert text.startswith("<html><title>About us</title>")
    assert "<h1>Us</h1>" in text
    assert "<code>{{ x }}</code>" in text


async def test_script_gives_names_to_its_template(serve_files):
    """What `get` returns, the template can show; parameters and the query are the request's."""
    world = await serve_files(
        {
            "pages/terms/[slug].html": "{{ word }} of {{ params.slug }}",
            "pages/terms/[slug].py": "async def get(request):\n    return {'word': request.query.get('word', 'none')}",
        }
    )

    assert await world.shown("/terms/queue?word=a+%3Cb%3E") == "a &lt;b&gt; of queue"


async def test_script_takes_a_form(serve_files):
    """`post` gets what was submitted, and sends the visitor on."""
    world = await serve_files(
        {
            "pages/say.html": "said {{ request.query.word }}",
            "pages/say.py": (
                "from undercroft.pages.answers import redirect\n\n"
                "async def post(request):\n"
                "    form = await request.form()\n"
                "    return redirect('/say?word=' + form['word'])\n"
            ),
        }
    )

    answer = await world.client.post("/say", form={"word": "hello"})

    assert (answer.status, answer.headers["location"]) == (303, "/say?word=hello")
    assert await world.shown("/say?word=hello") == "said hello"


async def test_script_shows_another_page(serve_files):
    """`render` fills in the page's own template or another's, with a status."""
    world = await serve_files(
        {
            "pages/form.html": "{{ problem or 'a form' }}",
            "pages/form.py": (
                "from undercroft.pages.answers import render\n\n"
                "async def post(request):\n    return render(status=422, problem='no')\n\n"
                "async def put(request):\n    return render('thanks', who='Ada')\n\n"
                "async def get(request):\n    return {'problem': ''}\n"
            ),
            "pages/thanks.html": "thank you, {{ who }}",
        }
    )

    answer = await world.client.post("/form", form={"a": "b"})

    assert (answer.status, answer.text) == (422, "no")
    assert (await world.client.put("/form")).text == "thank you, Ada"
    assert await world.shown("/form") == "a form"


async def test_script_without_a_template(serve_files):
    """A module alone is a page that answers with responses; other methods are answered 405."""
    world = await serve_files(
        {
            "pages/hook.py": (
                "from undercroft.http.response import json_response\n\n"
                "async def post(request):\n    return json_response({'got': (await request.json())['n']})\n"
            )
        }
    )

    assert (await world.client.post("/hook", {"n": 3})).json == {"got": 3}
    answer = await world.get("/hook")
    assert (answer.status, answer.headers["allow"], answer.code) == (405, "POST", "method_not_allowed")


async def test_page_without_a_script_is_only_read(serve_files):
    """A POST to a page that has no script is answered 405, and says what is allowed."""
    world = await serve_files({"pages/index.html": "x"})

    answer = await world.client.post("/", form={})

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_scripts_import_their_neighbours(serve_files):
    """Modules whose names begin with an underscore are shared by scripts, and clash with nothing."""
    world = await serve_files(
        {
            "pages/_shop.py": "PRICE = 3",
            "pages/json.html": "{{ price }}",
            "pages/json.py": "from ._shop import PRICE\n\nasync def get(request):\n    return {'price': PRICE}",
            "pages/deep/json.html": "{{ price }}",
            "pages/deep/json.py": "from .._shop import PRICE\n\nasync def get(r):\n    return {'price': PRICE + 1}",
        }
    )

    assert (await world.shown("/json"), await world.shown("/deep/json")) == ("3", "4")


async def test_block_is_asked_for_alone(serve_files):
    """A request of htmx gets one block, with all that the page set before it; a browser gets the page."""
    world = await serve_files(
        {
            "pages/_layout.html": LAYOUT,
            "pages/index.html": "{% set title = 'T' %}{% set n = 3 %}<p>{% block n %}{{ n }}{% endblock %}</p>",
        }
    )
    htmx = {"HX-Request": "true"}

    alone = await world.get("/?_block=n", headers=htmx)

    assert (alone.text, alone.headers["vary"]) == ("3", "Accept-Encoding, Cookie, Authorization, HX-Request")
    assert await world.shown("/?_block=n") == "<html><title>T</title><p>3</p></html>"
    assert (await world.get("/?_block=other", headers=htmx)).code == "no_such_block"


async def test_files_of_other_kinds_are_templates(serve_files):
    """A page that keeps its suffix has the media type of that, and no layout."""
    world = await serve_files({"pages/_layout.html": LAYOUT, "pages/list.csv": "a,b\n1,{{ 1 + 1 }}\n"})

    answer = await world.get("/list.csv")

    assert (answer.text, answer.headers["content-type"]) == ("a,b\n1,2", "text/csv; charset=utf-8")


async def test_urls_of_pages(serve_files):
    """`url_for` makes the URL of a page: named parts escaped, other values as query."""
    world = await serve_files(
        {
            "pages/index.html": "{{ url_for('terms/[slug]', slug='a/b ?', q='x y') }} {{ url_for('docs/[...rest]', rest='a/b') }} {{ url_for('index') }}",
            "pages/terms/[slug].html": "{{ params.slug }}",
            "pages/docs/[...rest].html": "",
        }
    )

    first, second, third = (await world.shown("/")).split(" ")

    assert (first, second, third) == ("/terms/a%2Fb%20%3F?q=x+y", "/docs/a/b", "/")


async def test_site_below_another_application(serve_files):
    """Mounted below a path, a site makes its URLs below it."""
    text = "{{ url_for('about') }} {{ static('a.css') }} {{ request.url }}"
    world = await serve_files({"pages/index.html": text, "pages/about.md": "x", "public/a.css": "x"})

    async def mounted(scope, receive, send):
        await world.client.app({**scope, "root_path": "/site", "path": "/site" + scope["path"]}, receive, send)

    answer = await TestClient(mounted).get("/?q=1")

    about, style, url = answer.text.split(" ")
    assert (about, url) == ("/site/about", "/site/?q=1")
    assert style.startswith("/site/a.")


async def test_url_of_the_visit(serve_files):
    """`path` and `url` are as they were asked for, escaped."""
    world = await serve_files({"pages/[word].html": "{{ request.path }} {{ request.url }} {{ params.word }}"})

    assert await world.shown("/b%C3%BC%20%3F?q=%26") == "/b%C3%BC%20%3F /b%C3%BC%20%3F?q=%26 bü ?"


async def test_trailing_slash(serve_files):
    """A page has one URL: with a slash behind it one is sent on, method and query kept."""
    world = await serve_files({"pages/terms/index.html": "x"})

    answer = await world.get("/terms/?q=1")

    assert (answer.status, answer.headers["location"]) == (308, "/terms?q=1")
    assert (await world.get("/nothing/")).status == 404


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "/%5Cevil.example/", "/%2Fevil.example/"])
async def test_slash_redirects_stay_here(serve_files, path):
    """No path makes a redirect that leads to another site."""
    world = await serve_files({"pages/[slug].html": "x", "pages/[...rest].html": "y"})

    location = (await world.get(path)).headers.get("location", "/")

    assert location.startswith("/")
    assert location[1:2] not in {"/", "\\"}


async def test_api_stays_where_it_is(serve_files):
    """No page takes a path of the API or of the console, known or unknown."""
    world = await serve_files({"pages/[...rest].html": "page", "pages/api/health.html": "page"})

    assert (await world.get("/api/health")).json["code"] == 200
    assert (await world.get("/api/nothing")).json["status"] == 404
    assert (await world.get("/_/nothing")).json["status"] == 404
    assert await world.shown("/apix/y") == "page"


@pytest.mark.parametrize(
    ("target", "is_fine"),
    [
        *(("/terms", True), ("https://example.com/x", True), ("/a?b=//c", True)),
        *(("//evil.example", False), ("/\\evil.example", False), ("javascript:alert(1)", False), ("/a\r\nx: y", False)),
        *(("evil", False), ("", False)),
    ],
)
async def test_redirects_lead_where_they_say(serve_files, target, is_fine):
    """`redirect` refuses what a browser would take for another site, or for no address."""
    world = await serve_files(
        {
            "pages/go.py": (
                "from undercroft.pages.answers import redirect\n\n"
                f"async def get(request):\n    return redirect({target!r})\n"
            )
        }
    )

    answer = await world.get("/go")

    assert (answer.status == 303) == is_fine
    assert is_fine or answer.code == "bad_redirect"
