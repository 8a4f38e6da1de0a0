"""What happens when somebody is let in, as hooks see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.records.events import RecordEvent
from undercroft.records.surroundings import Surroundings


class RecordAuth(RecordEvent):
    """An account is about to get a token. What is sent of it can be changed; `meta` is sent unless it is empty."""

    def __init__(self, surroundings: Surroundings, collection: Collection, record: dict[str, Any], token: str) -> None:
        super().__init__(surroundings, collection)
        self.record = record
        self.token = token
        self.meta: dict[str, Any] = {}


class RecordAuthWithOAuth2(RecordEvent):
    """Somebody came back from a provider of OAuth2, who said who it is; they are not let in yet.

    `user` is who the provider says it is. `record` is the account that is theirs, None when there will
    be a new one of `create_data`; both can be changed before `next()`. After it, `record` is the account
    as it is from now on, linked to them, and `is_new` tells whether it was made.
    """

    def __init__(self, surroundings: Surroundings, collection: Collection, provider: str) -> None:
        super().__init__(surroundings, collection)
        self.provider = provider
        self.user: dict[str, Any] = {}
        self.create_data: dict[str, Any] = {}
        self.record: Mapping[str, Any] | None = None
        self.is_new = False
