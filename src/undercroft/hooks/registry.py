"""The hooks there are, found by moment and collection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from undercroft.hooks.hook import Hook

_MOST_FOUND: Final = 5000


class Registry:
    """The hooks of a program: those that were added one by one, and those that were loaded from files."""

    def __init__(self) -> None:
        self.moments: frozenset[str] = frozenset()
        self._added: list[Hook] = []
        self._loaded: tuple[Hook, ...] = ()
        self._by_moment: dict[str, list[Hook]] = {}
        self._found: dict[tuple[str, ...], tuple[Hook, ...]] = {}

    def add(self, hook: Hook) -> None:
        """One hook more."""
        self._added.append(hook)
        self._sort()

    def load(self, hooks: Iterable[Hook]) -> None:
        """Put hooks in place of those that were loaded before."""
        self._loaded = tuple(hooks)
        self._sort()

    def find(self, moment: str, *names: str) -> tuple[Hook, ...]:
        """The hooks of a moment, in their order; `names` are those of the collection: its name and its id."""
        if moment not in self.moments:
            return ()
        key = (moment, *names)
        if key not in self._found:
            if len(self._found) > _MOST_FOUND:
                self._found.clear()
            wanted = {name.lower() for name in names}
            hooks = self._by_moment[moment]
            self._found[key] = tuple(h for h in hooks if not h.tags or wanted & {tag.lower() for tag in h.tags})
        return self._found[key]

    def has_any(self, moments: Iterable[str], *names: str) -> bool:
        """Whether there is a hook of one of these moments."""
        return any(self.find(moment, *names) for moment in moments)

    def all(self) -> tuple[Hook, ...]:
        """Every hook there is."""
        return (*self._added, *self._loaded)

    def _sort(self) -> None:
        self._found.clear()
        self._by_moment = {}
        for hook in sorted(self.all(), key=lambda hook: hook.priority):
            self._by_moment.setdefault(hook.moment, []).append(hook)
        self.moments = frozenset(self._by_moment)
