"""Sizes of thumbs: what they mean, and what of an image they show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.files.thumb_size import Size, allowed_size, cut, parse_size, scaled

LENGTH = st.integers(1, 20_000)
SIZES = st.builds(
    lambda width, height, fit: parse_size(f"{width}x{height}{fit}"),
    st.integers(0, 5_000),
    st.integers(1, 5_000),
    st.sampled_from(["", "t", "b", "f"]),
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100x50", Size("100x50", 100, 50, "center")),
        ("100x50t", Size("100x50t", 100, 50, "top")),
        ("100x50b", Size("100x50b", 100, 50, "bottom")),
        ("100x50f", Size("100x50f", 100, 50, "inside")),
        ("0x50", Size("0x50", 0, 50, "center")),
        ("100x0", Size("100x0", 100, 0, "center")),
    ],
)
def test_a_text_means_a_size(text, size):
    """Every form of the wire is understood."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "100", "100x", "x100", "0x0", "0x0f", "1x1q", "-1x1", "1x1 ", "١x١", "9" * 7 + "x1"]
)
def test_other_texts_mean_none(text):
    """What is no size is none, whatever digits it is written with."""
    assert parse_size(text) is None


def test_only_declared_sizes_are_allowed():
    """A size has to be declared by the field, letter by letter; one is for everybody."""
    declared = ("20x10", "30x30t")

    assert allowed_size("20x10", declared) == parse_size("20x10")
    assert allowed_size("100x100", declared) == parse_size("100x100")
    assert [allowed_size(text, declared) for text in ("20x11", "020x10", "20x10f", "30x30")] == [None] * 4


def test_a_thousand_sizes_make_nothing():
    """Who tries all sizes finds those that are declared."""
    found = [text for n in range(1_000) if allowed_size(text := f"{n}x{n}", ("20x20",))]

    assert found == ["20x20", "100x100"]


@pytest.mark.parametrize(
    ("text", "image", "thumb"),
    [
        ("100x100", (200, 100), (100, 100)),
        ("300x200", (13, 7), (300, 200)),
        ("60x60f", (200, 100), (60, 30)),
        ("60x60f", (333, 127), (60, 22)),
        ("300x200f", (13, 7), (13, 7)),
        ("1000x1f", (200, 100), (2, 1)),
        ("60x60f", (2_000, 3), (60, 1)),
        ("0x30", (200, 100), (60, 30)),
        ("33x0", (200, 100), (33, 17)),
        ("33x0", (333, 127), (33, 13)),
        ("0x300", (13, 7), (557, 300)),
        ("40x0f", (200, 100), (40, 20)),
    ],
)
def test_how_large_a_thumb_is(text, image, thumb):
    """Thumbs are as large as PocketBase makes them, to the pixel."""
    assert scaled(parse_size(text), *image) == thumb


@given(SIZES, LENGTH, LENGTH)
def test_a_thumb_shows_a_part_of_its_image(size, width, height):
    """What is shown lies within the image, whatever the rounding."""
    left, top, right, bottom = cut(size, width, height)

    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@given(SIZES, LENGTH, LENGTH)
def test_a_thumb_that_fits_inside_is_not_larger(size, width, height):
    """One that fits inside has at most the size it asks for and at most that of the image."""
    made = scaled(size, width, height)

    assert min(made) >= 1
    if size.fit == "inside" and size.width:
        assert made[0] <= min(size.width, width)
        assert made[1] <= min(size.height, height)
