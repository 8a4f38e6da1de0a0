"""What a visitor sees when something is wrong, and what a developer sees."""

from __future__ import annotations

import logging

import pytest

BROKEN = {
    "pages/index.html": "<p>one</p>\n<p>two</p>\n{{ nobody.name }}\n",
    "pages/syntax.html": "<p>one</p>\n{% for %}\n",
    "pages/front.html": "---\ntitle: x\n---\n<p>four</p>\n{{ nobody.name }}\n",
    "pages/matter.html": "---\ntitle: x\nthis is no line\n---\n",
    "pages/script.html": "x",
    "pages/script.py": "SECRET = 'in the source'\n\nasync def get(request):\n    return {'x': 1 / 0}\n",
    "pages/load.html": "x",
    "pages/load.py": "import nothing_of_that_name\n",
    "pages/sync.html": "x",
    "pages/sync.py": "def get(request):\n    return {}\n",
    "pages/list.html": "x",
    "pages/list.py": "async def get(request):\n    return [1]\n",
    "pages/filter.html": "<p>one</p>\n<p>two</p>\n\n{{ records.users.count('naame = 1') }}",
    "pages/url.html": "<p>one</p>\n{{ url_for('nowhere') }}",
    "pages/layout/_layout.html": "{{ content }}{{ nobody.name }}",
    "pages/layout/index.html": "x",
}
PLACES = {
    "/": ("pages/index.html, line 3", "{{ nobody.name }}", "&#39;nobody&#39; is not defined."),
    "/syntax": ("pages/syntax.html, line 2", "{% for %}", "TemplateSyntaxError"),
    "/front": ("pages/front.html, line 5", "{{ nobody.name }}", "is not defined."),
    "/matter": ("matter.html, line 3", "this is no line", "BadFrontMatter"),
    "/script": ("pages/script.py, line 4", "1 / 0", "ZeroDivisionError"),
    "/load": ("pages/load.py, line 1", "import nothing_of_that_name", "ModuleNotFoundError"),
    "/sync": ("BadScript", "sync.py", "async def get(request)"),
    "/list": ("BadScript", "list.py", "list"),
    "/filter": ("pages/filter.html, line 4", "naame", "Did you mean"),
    "/url": ("pages/url.html, line 2", "nowhere", "NoUrl"),
    "/layout": ("_layout.html, line 1", "{{ nobody.name }}", "UndefinedError"),
}


@pytest.mark.parametrize("path", PLACES)
async def test_developer_sees_the_line(serve_files, path):
    """In development the answer shows the file, the line, and what stands there."""
    world = await serve_files(BROKEN, is_dev=True)

    answer = await world.get(path)

    assert answer.status >= 400
    assert [part for part in PLACES[path] if part not in answer.text] == []


@pytest.mark.parametrize("path", PLACES)
async def test_visitor_sees_no_source(serve_files, caplog, path):
    """Outside of development nothing of the source is shown; the log has the trace under the request's id."""
    world = await serve_files(BROKEN)

    with caplog.at_level(logging.ERROR, "undercroft"):
        answer = await world.get(path)

    told = [part for part in (*PLACES[path], "Traceback", "in the source") if part in answer.text]
    assert (answer.status >= 400, told) == (True, [])
    assert answer.headers["x-request-id"] in caplog.text
    assert caplog.records[-1].exc_info is not None


async def test_site_has_its_own_error_pages(serve_files):
    """`404.html` and `500.html` are shown in the layout, with what may be told and the request's id."""
    world = await serve_files(
        {
            "pages/_layout.html": "<main>{{ content }}</main>",
            "pages/404.html": "lost: {{ message }}",
            "pages/500.html": "broken: {{ request_id }} {{ message }}",
            "pages/broken.html": "{{ nobody.name }}",
        }
    )

    lost, broken = await world.get("/nowhere"), await world.get("/broken")

    assert (lost.status, lost.text) == (404, "<main>lost: There is nothing at this address.</main>")
    assert broken.status == 500
    assert broken.text == f"<main>broken: {broken.headers['x-request-id']} Something went wrong on our side.</main>"
    assert (await world.get("/404")).status == 404


async def test_error_page_that_fails(serve_files):
    """When the page about an error fails as well, a plain one takes its place."""
    world = await serve_files({"pages/_layout.html": "{{ nobody.name }}", "pages/404.html": "x"})

    answer = await world.get("/nowhere")

    assert answer.status == 404
    assert "There is nothing at this address." in answer.text


@pytest.mark.parametrize("is_dev", [True, False])
async def test_changes_are_seen_in_development_alone(serve_files, is_dev):
    """With `--dev` changed templates, scripts, their neighbours and new pages are there at once."""
    world = await serve_files(
        {
            "pages/a.html": "{{ word }}",
            "pages/a.py": "from ._words import WORD\n\nasync def get(request):\n    return {'word': WORD}",
            "pages/_words.py": "WORD = 'old'",
            "pages/_layout.html": "[{{ content }}]",
        },
        is_dev=is_dev,
    )
    before = await world.shown("/a")
    world.write({"pages/_words.py": "WORD = 'newer'", "pages/_layout.html": "({{ content }})", "pages/b.html": "b"})

    assert before == "[old]"
    assert await world.shown("/a") == ("(newer)" if is_dev else "[old]")
    assert (await world.get("/b")).status == (200 if is_dev else 404)


async def test_cost_of_a_page_is_told(serve_files):
    """The answer tells the milliseconds of each stage, where that is wanted."""
    world = await serve_files({"pages/index.html": "{{ records.users.count() }}"}, has_timing=True)

    timing = (await world.get("/")).headers["server-timing"]

    assert [part.partition(";")[0] for part in timing.split(", ")] == [
        "route",
        "visitor",
        "render",
        "records",
        "finish",
    ]
    assert all(float(part.partition("dur=")[2]) >= 0 for part in timing.split(", "))


async def test_cost_is_not_told_unasked(serve_files):
    """Others are not told how long things took."""
    world = await serve_files({"pages/index.html": "x"})

    assert "server-timing" not in (await world.get("/")).headers
