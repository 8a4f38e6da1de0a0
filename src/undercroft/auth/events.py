"""What happens when somebody is let in, as hooks see it."""

from __future__ import annotations

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
