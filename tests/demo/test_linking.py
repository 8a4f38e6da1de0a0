"""How the glossary links terms in the text of other terms."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from undercroft.demo.glossary_data import SITE


@pytest.fixture
def link(monkeypatch):
    """Links the terms of some titles in a text; what surrounds them is left out."""
    spec = spec_from_file_location("linking", SITE / "pages" / "terms" / "_linking.py")
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "linking", module)
    spec.loader.exec_module(module)

    def of(text: str, *titles: str) -> str:
        known = {title: module.Known(title, title, f"About {title}.") for title in titles}
        return str(module.link_terms(text, known, "own"))

    return of


def test_first_mention_is_linked(link):
    """A term is linked once, in any letter case and number."""
    html = link("Caches and a cache.", "cache")

    assert html.count('<a class="term"') == 1
    assert html.startswith('<p><a class="term" href="/terms/cache"')


def test_link_in_a_link(link):
    """Within a link nothing is linked, also behind code in it."""
    html = link("[`x` cache](/y) and more", "cache")

    assert 'class="term"' not in html
    assert 'class="term"' in link("[`x`](/y) cache", "cache")


def test_characters_stay_whole(link):
    """The name of a character in HTML is no mention of a term."""
    html = link("R&D `a` amp", "amp")

    assert html.startswith("<p>R&amp;D <code>a</code> <a ")


def test_text_stays_text(link):
    """A title, a summary or a text with HTML in it makes no HTML."""
    html = link('<em title="a > cache <img src=x onerror=alert(1)>">x</em> ![a > cache <b>](/x.png)', "cache")

    assert "<img src=x" not in html
    assert "<b>" not in html
