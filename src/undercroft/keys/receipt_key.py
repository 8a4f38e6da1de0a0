"""The key that signs receipts of erasures: one for good, kept as the server's other secrets are.

It is sealed under the keys of the system, and sealed anew when these turn. What verifies its signatures stands beside
it in clear, so that receipts of this server's own are told from others without a root key.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Texts, Transaction
from undercroft.database.params import load_param, save_param
from undercroft.database.positions import Read
from undercroft.encryption.receipts import public_key_text
from undercroft.keys.text_columns import RECEIPT_KEY, param_place

_PUBLIC: Final = "receiptPublicKey"


async def ensure_receipt_key(engine: Engine) -> None:
    """Make the key, unless there is one. Raises `KeysUnavailable`."""
    if not await load_public_key(engine.read, engine.dialect):
        await engine.write(partial(_make, dialect=engine.dialect), alone=True)


async def load_receipt_key(read: Read, dialect: Dialect, texts: Texts) -> Ed25519PrivateKey:
    """The key. Raises what `Keyring.open_text` raises."""
    sealed = str(await load_param(read, dialect, RECEIPT_KEY))
    return Ed25519PrivateKey.from_private_bytes(b64decode(texts.open_text(param_place(RECEIPT_KEY), sealed)))


async def load_public_key(read: Read, dialect: Dialect) -> str:
    """What verifies receipts of this server; empty where the data are older than the key."""
    return str(await load_param(read, dialect, _PUBLIC) or "")


async def _make(tx: Transaction, dialect: Dialect) -> None:
    if await load_public_key(tx.run, dialect):
        return
    key = Ed25519PrivateKey.generate()
    text = b64encode(key.private_bytes_raw()).decode()
    await save_param(tx, dialect, RECEIPT_KEY, tx.texts.seal_text(param_place(RECEIPT_KEY), text))
    await save_param(tx, dialect, _PUBLIC, public_key_text(key))
