"""How often one caller may do something."""

import tracemalloc

import pytest

from undercroft.errors import TooMany
from undercroft.middleware.throttle import Throttle

MIB = 1024 * 1024


def test_more_than_the_most():
    """Who comes too often is refused, and others are not."""
    throttle = Throttle(2, 60.0)
    throttle.check("a")
    throttle.check("a")

    with pytest.raises(TooMany):
        throttle.check("a")
    throttle.check("b")


def test_callers_with_long_names():
    """What is kept of a caller is small, however long a name they give themselves."""
    throttle = Throttle(2, 60.0)
    tracemalloc.start()
    try:
        for number in range(40):
            throttle.check(str(number) * MIB)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < MIB


def test_long_names_are_told_apart():
    """Callers whose long names differ in the end alone are two callers."""
    throttle = Throttle(1, 60.0)
    throttle.check("x" * MIB + "a")
    throttle.check("x" * MIB + "b")

    with pytest.raises(TooMany):
        throttle.check("x" * MIB + "a")
