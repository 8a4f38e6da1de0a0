"""Where secrets stand in the house's own tables, each sealed for its row under the keys of the system.

Those within other values - settings, options of collections, keys that sign - are sealed by those who keep them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Transaction
from undercroft.database.positions import Read
from undercroft.encryption.texts import BEGINNING, MARK, text_beginnings


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
FORM_KEY: Final = "formKey"
"""What signs tokens of forms."""
RECEIPT_KEY: Final = "receiptKey"
"""What signs receipts of erasures."""
SECRET_PARAMS: Final = (FORM_KEY, RECEIPT_KEY)
"""The parameters that are secrets as a whole."""
_Test = Literal["IN", "NOT IN"]
_DOCUMENTS: Final = (("_params", "value"), ("_collections", "options"))
_SEALED: Final = re.compile(f"{MARK}[A-Za-z0-9_-]{{{BEGINNING - len(MARK)}}}")


@dataclass(frozen=True, slots=True)
class StoredText:
    """A text as it stands in a row of a column."""

    key: str
    text: str


def param_place(name: str) -> str:
    """What a parameter is bound to that is a secret as a whole."""
    return f"_params|value|{name}"


async def count_texts(read: Read, dialect: Dialect, key_id: int) -> int:
    """How many texts a key has sealed that still stand somewhere."""
    return await _count(read, dialect, key_id, "IN")


async def count_older_texts(read: Read, dialect: Dialect, key_id: int) -> int:
    """How many texts stand somewhere that other keys have sealed."""
    return await _count(read, dialect, key_id, "NOT IN")


async def find_older_texts(
    read: Read, dialect: Dialect, column: TextColumn, key_id: int, *, after: str, limit: int
) -> list[StoredText]:
    """The next texts of a column that another key has sealed, by the names of their rows."""
    mark = dialect.placeholder(5)
    sql = f"""SELECT "{column.key}", "{column.name}" {_those(column, dialect, "NOT IN")}
        AND "{column.key}" > {mark} ORDER BY "{column.key}" LIMIT {limit}"""
    rows = await read(sql, (*text_beginnings(key_id), after))
    return [StoredText(str(key), str(text)) for key, text in rows]


async def put_text(tx: Transaction, dialect: Dialect, column: TextColumn, was: StoredText, sealed: str) -> bool:
    """Put a text in place of one, if nobody else has changed that; whether it was there."""
    mark = dialect.placeholder
    sql = f"""UPDATE "{column.table}" SET "{column.name}" = {mark(1)}
        WHERE "{column.key}" = {mark(2)} AND "{column.name}" = {mark(3)} RETURNING 1"""
    return bool(await tx.run(sql, (sealed, was.key, was.text)))


async def _count(read: Read, dialect: Dialect, key_id: int, test: _Test) -> int:
    beginnings, is_under = text_beginnings(key_id), test == "IN"
    count = sum((found in beginnings) is is_under for found in await _within_documents(read))
    for column in TEXT_COLUMNS:
        rows = await read(f"SELECT count(*) {_those(column, dialect, test)}", beginnings)
        count += int(rows[0][0] or 0)
    return count


def _those(column: TextColumn, dialect: Dialect, test: _Test) -> str:
    """The rows of a column whose text begins, or does not begin, in one of four ways."""
    marks = ", ".join(dialect.placeholder(number) for number in range(1, 5))
    return f"""FROM "{column.table}" WHERE "{column.name}" <> '' {column.only}
        AND substr("{column.name}", 1, {BEGINNING}) {test} ({marks})"""


async def _within_documents(read: Read) -> Sequence[str]:
    """How each sealed text within another value begins."""
    found: list[str] = []
    for table, name in _DOCUMENTS:
        for (value,) in await read(f'SELECT "{name}" FROM "{table}"', ()):
            found += _SEALED.findall(str(value))
    return found
