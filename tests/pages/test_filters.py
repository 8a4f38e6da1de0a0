"""Filters of templates."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from undercroft.pages.filters import html, iso_date, markdown, plain, show_date
from undercroft.templating.front_matter import BadFrontMatter, read_document

MOMENT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (MOMENT, "%Y-%m-%d", "2026-03-04"),
        (MOMENT, "%-d.%-m.%Y %-H:%M", "4.3.2026 5:06"),
        ("2026-03-04 05:06:07.000Z", "%d %B", "04 March"),
        (date(2026, 3, 4), "%a", "Wed"),
        *((None, "%Y", ""), ("", "%Y", ""), ("no date", "%Y", "")),
    ],
)
def test_date(value, form, shown):
    """Moments, days and the wire's text are shown in any form; what is empty is empty."""
    assert show_date(value, form) == shown


def test_zone():
    """A moment is shown in the zone that is named, summer time and all."""
    summer = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)

    assert show_date(summer, "%d. %H:%M", "Europe/Vienna") == "02. 00:30"
    assert show_date(date(2026, 7, 1), "%d", "Europe/Vienna") == "01"


def test_iso():
    """Dates as machines read them."""
    assert (iso_date(MOMENT), iso_date(date(2026, 3, 4)), iso_date(None)) == (
        *("2026-03-04T05:06:07+00:00", "2026-03-04", ""),
    )


def test_markdown():
    """Markdown is HTML without danger, tables and strike-through included."""
    text = markdown("# A\n\n| a |\n|:-:|\n| ~~b~~ |\n\na <script>x</script> [l](javascript:x) `{{ y }}`")

    assert "<h1>A</h1>" in text
    assert '<th style="text-align:center">a</th>' in text
    assert "<s>b</s>" in text
    assert "<script" not in text
    assert "href" not in text
    assert "<code>{{ y }}</code>" in text


def test_html():
    """HTML keeps what shows, and loses what runs."""
    assert html('<p class="x">a <b onclick="y">b</b><script>c</script></p>') == "<p>a <b>b</b></p>"


@pytest.mark.parametrize(
    ("value", "length", "shown"),
    [
        ("<p>one <b>two</b></p><p>three</p>", 0, "one two three"),
        ("a &lt;b&gt; &amp; c", 0, "a <b> & c"),
        ("one two, three four", 12, "one two…"),
        (None, 5, ""),
    ],
)
def test_plain(value, length, shown):
    """The text of HTML, cut at a word."""
    assert plain(value, length) == shown


def test_front_matter():
    """Values are read as TOML where that makes sense, else as text; the lines above the body are counted."""
    document = read_document('---\ntitle: A: "b"\nn: 3\non: true\ntags: ["a"]\nday: 2026-01-02\n# no\n---\nbody', "x")

    assert document.front == {"title": 'A: "b"', "n": 3, "on": True, "tags": ["a"], "day": date(2026, 1, 2)}
    assert (document.body, document.lines) == ("body", 8)


@pytest.mark.parametrize("text", ["body", "--- x\nbody", "---\nnever closed", "\n---\na: b\n---\n", ""])
def test_without_front_matter(text):
    """What does not begin with closed lines of dashes has none."""
    assert read_document(text, "x").body == text


def test_bad_front_matter():
    """A line that says nothing is named with its number."""
    with pytest.raises(BadFrontMatter, match=r"page\.html, line 3"):
        read_document("---\na: b\nnonsense\n---\n", "page.html")
