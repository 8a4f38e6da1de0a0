"""Sealing what an older program left in clear in the house's own tables, once."""

from __future__ import annotations

from functools import partial
from typing import Final

from undercroft.database.engine import Engine, Transaction
from undercroft.database.params import load_param, save_param
from undercroft.encryption.texts import MARK

_PARAM: Final = "sealedTexts"
_COLUMNS: Final = (
    ("_outbox", "id", "recipient"),
    ("_outbox", "id", "content"),
    ("_jobs", "id", "arguments"),
    ("_answers", "key", "body"),
    ("_totp", "id", "seed"),
    ("_invitations", "id", "offer"),
)
_ALL: Final = 2  # grows with the columns; the first of them were told by `true`
_AT_ONCE: Final = 500


async def seal_leftovers(engine: Engine) -> None:
    """Seal what is there in clear in these columns. Raises `KeysUnavailable`."""
    if int(await load_param(engine.read, engine.dialect, _PARAM) or 0) >= _ALL:
        return
    for table, key, column in _COLUMNS:
        while await engine.write(partial(_seal_some, engine=engine, table=table, key=key, column=column)):
            pass
    await engine.write(lambda tx: save_param(tx, engine.dialect, _PARAM, value=_ALL), alone=True)


async def _seal_some(tx: Transaction, engine: Engine, table: str, key: str, column: str) -> int:
    mark = engine.dialect.placeholder
    sql = f"""SELECT "{key}", "{column}" FROM "{table}"
        WHERE "{column}" <> '' AND "{column}" NOT LIKE '{MARK}%' LIMIT {_AT_ONCE}"""
    rows = await tx.run(sql)
    update = f'UPDATE "{table}" SET "{column}" = {mark(1)} WHERE "{key}" = {mark(2)}'
    for row in rows:
        row_key, text = map(str, row)
        await tx.run(update, (tx.texts.seal_text(f"{table}|{column}|{row_key}", text), row_key))
    return len(rows)
