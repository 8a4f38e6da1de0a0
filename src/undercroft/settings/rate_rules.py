"""Which rule limits a request: found by its labels, for who asks."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from undercroft.settings.settings import RateLimitRule, RateLimits

_GUESTS: Final = ("", "@guest")
_ACCOUNTS: Final = ("", "@auth")


class RateRules:
    """The rules of the settings, ready to be looked up. `name` is the same where the rules are."""

    def __init__(self, limits: RateLimits) -> None:
        self.name = blake2b(msgspec.json.encode(limits.rules), digest_size=6).hexdigest()
        self._for_guests = _Rules(limits, _GUESTS)
        self._for_accounts = _Rules(limits, _ACCOUNTS)

    def find_action(self, collection: str, actions: Sequence[str], *, is_guest: bool) -> RateLimitRule | None:
        """The rule about what is done to a collection: that of the collection first, then that of all."""
        return self._of(is_guest=is_guest).find_action(collection, tuple(actions))

    def find_path(self, method: str, path: str, *, is_guest: bool) -> RateLimitRule | None:
        """The rule about a path: one with its method first, and the path itself before what it begins with."""
        rules = self._of(is_guest=is_guest)
        found = rules.find_path(f"{method} {path}") if rules.has_methods else None
        return found or rules.find_path(path)

    def _of(self, *, is_guest: bool) -> _Rules:
        return self._for_guests if is_guest else self._for_accounts


class _Rules:
    """The rules that count for some."""

    def __init__(self, limits: RateLimits, audiences: Sequence[str]) -> None:
        counting = [rule for rule in limits.rules if rule.audience in audiences]
        self._by_label: dict[str, RateLimitRule] = {}
        for rule in counting:
            self._by_label.setdefault(rule.label, rule)
        self.has_methods = any(" " in label for label in self._by_label)
        self._beginnings = [rule for rule in counting if rule.label.endswith("/")]
        self._found: dict[tuple[str, tuple[str, ...]], RateLimitRule | None] = {}

    def find_action(self, collection: str, actions: tuple[str, ...]) -> RateLimitRule | None:
        key = collection, actions
        if key not in self._found:
            labels = [f"{whose}:{action}" for whose in (collection, "*") for action in actions]
            self._found[key] = next((self._by_label[label] for label in labels if label in self._by_label), None)
        return self._found[key]

    def find_path(self, label: str) -> RateLimitRule | None:
        if (rule := self._by_label.get(label)) is not None:
            return rule
        below = f"{label}/"
        for rule in self._beginnings:
            if below.startswith(rule.label):
                return rule
        return None
