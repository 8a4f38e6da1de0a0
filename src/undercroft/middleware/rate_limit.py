"""How often one caller may ask for something, by the rules of the settings."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from undercroft.database.tallies import Tallies
from undercroft.errors import TooMany
from undercroft.http.client_ip import is_listed, network_of
from undercroft.settings.rate_rules import RateRules
from undercroft.settings.settings import RateLimits


class RateLimited(TooMany):
    """A rule of `rateLimits` allows no more of this for now."""

    code = "rate_limited"


class Caller(NamedTuple):
    """Who asks: from where, and whether it is a guest or a superuser, whom no rule limits."""

    address: str
    is_guest: bool
    is_superuser: bool


class Asked(NamedTuple):
    """What is asked for, and, of a route about a collection, what is done to which by which route."""

    method: str
    path: str
    collection_id: str = ""
    collection: str = ""
    route: str = ""
    actions: tuple[str, ...] = ()


class RateLimiter:
    """Counts requests, together with the other processes; one that is not on lets everything through."""

    def __init__(self, *, is_on: bool = True) -> None:
        self.tallies = Tallies()
        self.is_on = is_on
        self.has_told_of_proxy = False
        self._limits = RateLimits()
        self._rules = RateRules(self._limits)

    def counts(self, limits: RateLimits) -> bool:
        """Whether there is anything to check."""
        return limits.enabled and self.is_on

    def check(self, limits: RateLimits, caller: Caller, asked: Asked) -> None:
        """Count a request, where requests are counted. Raises `RateLimited`, which is not counted."""
        if caller.is_superuser:
            return
        if limits is not self._limits:
            self._obey(limits)
        rules, is_guest = self._rules, caller.is_guest
        rule = rules.find_action(asked.collection, asked.actions, is_guest=is_guest) if asked.actions else None
        rule = rule or rules.find_path(asked.method, asked.path, is_guest=is_guest)
        if rule is None or (limits.excluded_ips and is_listed(caller.address, limits.excluded_ips)):
            return
        what = (asked.collection_id, asked.route, asked.actions) if asked.actions else (rule.label,)
        key = (rules.name, network_of(caller.address), rule.audience, *what)
        wait = self.tallies.count(key, rule.max_requests, rule.duration)
        if wait:
            raise RateLimited(retry_after=ceil(wait))

    def _obey(self, limits: RateLimits) -> None:
        """Count by other rules from now on; what is counted bears their name, so that is from nothing."""
        if limits != self._limits:
            self._rules = RateRules(limits)
        self._limits = limits
