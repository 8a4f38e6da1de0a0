"""Which hearers were written down lately, so that nobody has more of them written than deletes can ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from undercroft.records.hearers import MOST_GUESTS, MOST_QUESTIONS, Hearer

SECONDS: Final = 120.0
MOST_OF_ONE: Final = 100  # ways in which one account asks a rule about one collection
MOST_IN_ALL: Final = 10_000

Wanted = Mapping[str, tuple[str, Hearer]]
"""Hearers by key, each with the id of the collection whose records it hears of."""


class WrittenHearers:
    """The hearers that one process has written down within the last two minutes, the oldest first.

    For each collection there are as many as a delete asks for. Guests are half of them at most, an account a few:
    who listens beyond that is told that something may have happened.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, str, str]] = {}
        self._of_collection: Counter[str] = Counter()
        self._of_one: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, wanted: Wanted, moment: float) -> dict[str, tuple[str, Hearer]]:
        """Those that are to be written down now, accounts first; from now on they are taken for written."""
        self._forget(moment)
        new = [(key, *each) for key, each in wanted.items() if key not in self._kept]
        new.sort(key=lambda each: not each[2].account)
        taken = {}
        for key, collection, hearer in new:
            if self._has_room(collection, hearer.account):
                taken[key] = collection, hearer
                self._kept[key] = moment, collection, hearer.account
                self._of_collection[collection] += 1
                self._of_one[collection, hearer.account] += 1
        return taken

    def keep_only(self, wanted: Wanted) -> None:
        """Nobody else listens any more."""
        self.drop(self._kept.keys() - wanted.keys())

    def drop(self, keys: Iterable[str]) -> None:
        """These are not written down."""
        for key in keys:
            if key in self._kept:
                _, collection, account = self._kept.pop(key)
                self._of_collection[collection] -= 1
                self._of_one[collection, account] -= 1
                if not self._of_one[collection, account]:
                    del self._of_one[collection, account]

    def _has_room(self, collection: str, account: str) -> bool:
        most = MOST_OF_ONE if account else MOST_GUESTS
        is_full = len(self._kept) >= MOST_IN_ALL or self._of_collection[collection] >= MOST_QUESTIONS
        return not is_full and self._of_one.get((collection, account), 0) < most

    def _forget(self, moment: float) -> None:
        old = []
        for key, (since, _, _) in self._kept.items():
            if since + SECONDS > moment:
                break
            old.append(key)
        self.drop(old)
