"""The reference says of every moment what the code says."""

from __future__ import annotations

from moments import PAGE, render_table

from undercroft.moments import On


def test_every_moment_is_documented():
    """The table of moments is up to date: `python tools/moments.py` brings it there."""
    assert render_table() in PAGE.read_text(encoding="utf-8")


def test_every_event_is_documented():
    """Every kind of event is in the table of what events have."""
    page = PAGE.read_text(encoding="utf-8").partition("## What events have")[2]
    events = {moment.event.__name__ for moment in On.all()}

    assert [name for name in events if f"`{name}`" not in page] == []
