"""What is encrypted stays out of logs, explanations and errors."""

from __future__ import annotations

import logging
import re

import pytest
from canaries import forms

OPEN = dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule", "deleteRule"), "")
WORD = "sesame-canary-9K"
SEARCHED = {"search": "equality"}


@pytest.fixture
async def vault(blog):
    """A collection with one encrypted field that can be looked up, and one that cannot."""
    fields = [
        {"name": "code", "type": "text", "encrypted": SEARCHED},
        {"name": "blind", "type": "text", "encrypted": True},
    ]
    await blog.collection("vault", *fields, indexes=["CREATE UNIQUE INDEX one_code ON vault (code)"])
    await blog.add("vault", code=WORD, blind=WORD)
    return blog


async def test_explanations(vault):
    """An explanation shows a superuser what ran, with no value and no fingerprint in it."""
    explained = {"X-Undercroft-Explain": "1"}
    answer = await vault.client.get(
        "/api/collections/vault/records", filter=f"code = '{WORD}'", as_=vault.root, headers=explained
    )

    assert answer.status == 200
    shown = str(answer.json["explain"])
    assert not any(form.decode("latin-1") in shown for _, form in forms(WORD))
    assert not re.search(r"\bb'", shown)


async def test_logs(vault, caplog):
    """Nothing of it is in any line of the log, however much is logged, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    engine = vault.client.backend.engine
    await vault.create("vault", {"code": WORD})
    await vault.list("vault", filter=f"code ~ '{WORD}'")
    await vault.list("vault", filter=f"blind = '{WORD}'")
    await vault.list("vault", sort=WORD)
    cell = next(c.name for c in vault.client.backend.catalog.collection("vault").columns if c.role == "cell")
    zeros = "'\\x00'::bytea" if engine.is_networked else "x'00'"
    quote = engine.dialect.quote
    await engine.write(lambda tx: tx.run(f'UPDATE "vault" SET {quote(cell)} = {zeros}'))
    broken = await vault.list("vault")

    assert broken.status == 500
    assert not any(form.decode("latin-1") in caplog.text for _, form in forms(WORD))
    assert WORD not in broken.text
