"""What the texts of topics mean."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from undercroft.realtime.topics import EVERY, parse_topic


@pytest.mark.parametrize(
    ("text", "place"),
    [("posts/*", ("posts", EVERY)), ("posts", ("posts", EVERY)), ("posts/abc", ("posts", "abc"))],
)
def test_a_topic_names_a_collection_and_perhaps_a_record(text, place):
    """A bare name is the old way to say "all of it"."""
    assert parse_topic(text).place == place


@pytest.mark.parametrize("text", ["", "/", "posts/", "/abc", "posts/a/b", "posts/*\nevent:x", "a\0b", "a\rb"])
def test_other_texts_hear_of_no_record(text):
    """Nor can a text put lines of its own into a stream."""
    assert parse_topic(text) is None


def test_options_become_texts():
    """Scalars as the wire spells them, names of headers as rules spell them, everything else is empty."""
    options = {"query": {"a": 1, "b": True, "c": 1.5, "d": None, "e": [1]}, "headers": {"X-Team": "red"}}
    topic = parse_topic(f"posts/*?options={quote(json.dumps(options))}")

    assert topic.query == {"a": "1", "b": "true", "c": "1.5", "d": "", "e": ""}
    assert topic.headers == {"x_team": "red"}


@pytest.mark.parametrize("options", ["{", "[]", "1", '{"query": 5}', "[" * 2000])
def test_options_that_cannot_be_read_are_none(options):
    """The topic stands, without them."""
    assert parse_topic(f"posts/*?options={quote(options)}").query == {}
