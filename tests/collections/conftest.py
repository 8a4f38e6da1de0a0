"""A store of collections on a real engine, and short ways to speak of definitions."""

import pytest
from roots import open_ring

from undercroft.collections.catalog import CatalogHolder
from undercroft.collections.store import Store, ensure_system_collections, load_catalog
from undercroft.records.rules import check_rule


@pytest.fixture
async def store(engine):
    """An engine with the first collections, and rules judged as the server judges them."""
    keyring = await open_ring(engine)
    await ensure_system_collections(engine, keyring)
    holder = CatalogHolder(await load_catalog(engine, keyring))
    return Store(engine, holder, lambda *asked: check_rule(*asked, engine.dialect))
