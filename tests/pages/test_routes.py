"""Which URL is which file."""

from __future__ import annotations

import pytest

from undercroft.pages.routes import PageClash, scan, split_path


def tree_of(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return scan(folder)


def found(tree, path):
    page = tree.find(split_path(path) or [])
    return (page[0].name, dict(page[1])) if page else None


PAGES = (
    *("index.html", "about.md", "terms/index.html", "terms/[slug].html", "terms/new.html", "terms/[slug]/edit.html"),
    *(
        "docs/[...rest].html",
        "feed.xml",
        "calendar/[year].ics",
        "hook.py",
        "404.html",
        "_layout.html",
        "terms/_card.html",
    ),
)


@pytest.mark.parametrize(
    ("path", "page", "params"),
    [
        ("/", "index", {}),
        ("/about", "about", {}),
        ("/terms", "terms/index", {}),
        ("/terms/queue", "terms/[slug]", {"slug": "queue"}),
        ("/terms/b%C3%BCro%20nord", "terms/[slug]", {"slug": "büro nord"}),
        ("/terms/new", "terms/new", {}),
        ("/terms/new/edit", "terms/[slug]/edit", {"slug": "new"}),
        ("/docs/a/b/c", "docs/[...rest]", {"rest": "a/b/c"}),
        ("/feed.xml", "feed.xml", {}),
        ("/calendar/2026.ics", "calendar/[year].ics", {"year": "2026"}),
        ("/hook", "hook", {}),
    ],
)
def test_file_is_a_page(tmp_path, path, page, params):
    """A file answers at its path without its suffix; letters win over named parts."""
    assert found(tree_of(tmp_path, *PAGES), path) == (page, params)


@pytest.mark.parametrize(
    "path",
    [
        *("/index", "/about.md", "/about.html", "/404", "/_layout", "/nothing"),
        *("/terms/queue.css", "/terms/queue;x.js", "/terms/a%3Fb.png", "/docs/a/b.css", "/calendar/.ics", "/terms"),
    ],
)
def test_other_paths_are_no_pages(tmp_path, path):
    """Suffixes, hidden names, and what looks like a static file lead nowhere."""
    names = [name for name in PAGES if name != "terms/index.html"]

    assert found(tree_of(tmp_path, *names), path) is None


@pytest.mark.parametrize(
    "path", ["/a/../b", "/a/%2e%2e/b", "/a%2Fb", "/a%5Cb", "/a%00b", "/a%0Ab", "/a//b", "/%2e%2e", "/\\evil", "/a/./b"]
)
def test_paths_that_no_file_has(path):
    """Dots, slashes, back slashes and control characters inside of a part are no path."""
    assert split_path(path) is None


@pytest.mark.parametrize(
    "names",
    [
        ("a.html", "a.md"),
        ("a.html", "a/index.html"),
        ("[a].html", "[b].html"),
        ("[...a].html", "[...b].html"),
        ("[...a]/b.html",),
        ("x[a].html",),
    ],
)
def test_clash(tmp_path, names):
    """Two files for one URL, and named parts that are not whole parts, are refused."""
    with pytest.raises(PageClash):
        tree_of(tmp_path, *names)


def test_script_belongs_to_its_page(tmp_path):
    """A module has the name of its page, suffix of the page included where it keeps one."""
    tree = tree_of(tmp_path, "a.html", "a.py", "terms/[slug].html", "terms/[slug].py", "feed.xml", "feed.xml.py")

    assert [page.script.name for page in tree.by_name.values()] == ["a.py", "feed.xml.py", "[slug].py"]
    assert all(page.template for page in tree.by_name.values())
