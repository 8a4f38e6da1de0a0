"""Links: which account of a collection somebody at a provider is, as records that the account may see and delete."""

from __future__ import annotations

from typing import Any, Final

from undercroft.auth.kept import drop, keep, load_kept, prepare_kept
from undercroft.auth.superusers import WithRecords
from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.errors import Invalid
from undercroft.query.scope import Identity
from undercroft.records.record import Run, find_record
from undercroft.records.validate import NOT_UNIQUE

KEPT: Final = "_externalAuths"


class LinkRefused(Invalid):
    """The account is linked to somebody else at that provider already, or the link cannot be kept."""

    code = "oauth2_link_refused"


class OvertakenError(Exception):
    """The same somebody came at the same moment, and the other request was faster."""


async def find_link(
    run: Run, backend: WithRecords, collection: Collection, provider: str, person_id: str
) -> dict[str, Any] | None:
    """The link of somebody at a provider to an account of the collection."""
    home, dialect = backend.catalog.collection(KEPT), backend.engine.dialect
    wanted = {"collectionRef": collection.id, "provider": provider, "providerId": person_id}
    return await find_record(run, dialect, home, wanted)


async def keep_link(backend: WithRecords, tx: Transaction, account: Identity, provider: str, person_id: str) -> None:
    """Link an account to somebody at a provider. Raises `LinkRefused` and `OvertakenError`."""
    values = {"provider": provider, "providerId": person_id}
    try:
        await keep(backend, tx, KEPT, await prepare_kept(backend, KEPT, account, values))
    except Invalid as problem:
        if problem.data.get("providerId") is NOT_UNIQUE:
            raise OvertakenError from problem
        raise LinkRefused(problem.data, "Failed to authenticate.") from problem


async def drop_links(backend: WithRecords, tx: Transaction, account: Identity) -> None:
    """Link an account to nobody any more."""
    for link in await load_kept(tx.run, backend, KEPT, account):
        await drop(backend, tx, KEPT, link)
