"""Forged tokens: whatever is wrong with one, it speaks for nobody, on every route that wants somebody."""

from __future__ import annotations

import json

import pytest
from everywhere import GUARDED, path_of
from forgery import FORGERIES, Target
from joserfc import jws

from undercroft.records.record import find_record

pytestmark = pytest.mark.anyio


async def target_of(client, token):
    """What a forger would love to have of the superuser."""
    claims = json.loads(jws.extract_compact(token.encode()).payload)
    engine, superusers = client.backend.engine, client.backend.catalog.superusers
    record = await find_record(engine.read, engine.dialect, superusers, {"id": claims["id"]})
    return Target(token, claims, record["tokenKey"], superusers.auth.auth_token.secret)


async def test_on_every_route(client):
    """401, for every forgery on every route that wants an account or a superuser."""
    root = await client.superuser()
    target = await target_of(client, root)
    forged = {name: forge(target).encode().decode("latin-1") for name, forge in FORGERIES.items()}
    believed = [
        (route.method, route.pattern, name)
        for route in GUARDED
        for name, token in forged.items()
        if (await client.request(route.method, path_of(route), as_=token)).status != 401
    ]

    assert len(GUARDED) >= 20
    assert len(forged) >= 25
    assert believed == []
    assert (await client.get("/api/settings", as_=root)).status == 200
