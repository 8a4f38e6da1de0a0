"""Whether two kinds of requests can be told apart by how long they take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

MOST = 4.5
"""What Welch's t stays below where they cannot."""


def trimmed(times: Sequence[float]) -> list[float]:
    """The lower nine tenths: what the machine did meanwhile is not what is measured."""
    return sorted(times)[: len(times) * 9 // 10]


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """Welch's t: by how many standard errors two means are apart."""
    error = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    return (statistics.mean(one) - statistics.mean(other)) / error**0.5
