"""The columns of the house's own tables in which secrets stand, each sealed for its row.

Secrets within other values - settings, options of collections, the key of forms - are sealed by those who keep them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of texts, and the one whose value names the row; `only` says which rows have secrets in it."""

    table: str
    key: str
    name: str
    only: str = ""

    def place(self, row_key: str) -> str:
        """What a text of a row is bound to."""
        return f"{self.table}|{self.name}|{row_key}"


TEXT_COLUMNS: Final = (
    TextColumn("_outbox", "id", "recipient"),
    TextColumn("_outbox", "id", "content"),
    TextColumn("_jobs", "id", "arguments"),
    TextColumn("_answers", "key", "body"),
    TextColumn("_totp", "id", "seed"),
    TextColumn("_invitations", "id", "offer"),
    TextColumn("_uploads", "id", "key"),
    TextColumn("_uploads", "id", "metadata", only="""AND "key" <> ''"""),
    TextColumn("_hearers", "id", "hearer"),
    TextColumn("_wishes", "id", "wish"),
)
