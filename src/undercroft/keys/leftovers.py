"""Sealing what an older program left in clear in the house's own tables, once."""

from __future__ import annotations

from functools import partial
from typing import Final

from undercroft.database.engine import Engine, Transaction
from undercroft.database.params import load_param, save_param
from undercroft.encryption.texts import MARK
from undercroft.keys.text_columns import TEXT_COLUMNS, StoredText, TextColumn, put_text

_PARAM: Final = "sealedTexts"
_REVISION: Final = 2  # of the columns; programs that knew the first ones wrote `true`
_AT_ONCE: Final = 500


async def seal_leftovers(engine: Engine) -> None:
    """Seal what stands in clear where secrets are. Raises `KeysUnavailable`."""
    if int(await load_param(engine.read, engine.dialect, _PARAM) or 0) >= _REVISION:
        return
    for column in TEXT_COLUMNS:
        while await engine.write(partial(_seal_some, engine=engine, column=column)):
            pass
    await engine.write(lambda tx: save_param(tx, engine.dialect, _PARAM, value=_REVISION), alone=True)


async def _seal_some(tx: Transaction, engine: Engine, column: TextColumn) -> int:
    sql = f"""SELECT "{column.key}", "{column.name}" FROM "{column.table}"
        WHERE "{column.name}" <> '' AND "{column.name}" NOT LIKE '{MARK}%' {column.only} LIMIT {_AT_ONCE}"""
    rows = await tx.run(sql)
    for key, text in rows:
        was = StoredText(str(key), str(text))
        await put_text(tx, engine.dialect, column, was, tx.texts.seal_text(column.place(was.key), was.text))
    return len(rows)
