"""The data every server is filled with: articles, notes, authors and users, the same for all."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from typing import Any

WORDS = ("stone", "arch", "vault", "pillar", "lantern", "archive", "cellar", "ledger", "mortar", "timber", "plinth")
KINDS = ("news", "guide", "note")
PASSWORD = "open-sesame-42"
Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Everything a server starts from. Articles and notes have the same nine fields of their own."""

    authors: list[Row]
    users: list[Row]
    articles: list[Row]
    notes: list[Row]

    @property
    def size(self) -> int:
        return len(self.authors) + len(self.users) + len(self.articles) + len(self.notes)


def make_world(articles: int, seed: int = 2024) -> World:
    """A world of that many articles and half as many notes; the same seed gives the same world."""
    chance = random.Random(seed)
    authors = [{"id": make_id(chance), "name": f"Author {n}"} for n in range(50)]
    users = [{"id": make_id(chance), "email": f"reader{n}@example.com"} for n in range(3)]

    def article(n: int) -> Row:
        return {
            "id": make_id(chance),
            "title": f"Article {n}",
            "body": f"<p>{' '.join(chance.choices(WORDS, k=60))}</p>",
            "byline": chance.choice(WORDS),
            "views": chance.randrange(1_000_000),
            "published": chance.random() < 0.5,
            "tags": chance.sample(WORDS, 2),
            "kind": chance.choice(KINDS),
            "author": chance.choice(authors)["id"],
            "owner": chance.choice(users)["id"],
        }

    return World(authors, users, [article(n) for n in range(articles)], [article(n) for n in range(articles // 2)])


def make_id(chance: random.Random) -> str:
    """A record id."""
    return "".join(chance.choices(string.ascii_lowercase + string.digits, k=15))
