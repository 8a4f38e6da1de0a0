"""Where accounts are found, and whether they may come in."""

from __future__ import annotations

from typing import Final, Protocol

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.engine import Engine
from undercroft.errors import NotFound
from undercroft.query.errors import FilterError
from undercroft.query.scope import GUEST, Identity
from undercroft.records.access import Access
from undercroft.records.record import find_identity
from undercroft.records.rules import satisfies

_REQUEST: Final = "@request."
_CONTEXT: Final = "@request.context"


class Accounts(Protocol):
    """Where accounts are found: what a backend has of one."""

    @property
    def engine(self) -> Engine: ...

    @property
    def catalog(self) -> Catalog: ...


async def is_let_in(access: Access, account: Identity) -> bool:
    """Whether the rule of its collection would still let an account in that came in some time ago.

    The null rule ends log-ins, and nothing that is there. The rule is asked as of the caller of `access`, a guest; if
    that is one of no request, a rule about requests says nothing, and how somebody comes in is nothing but of log-ins.
    One that cannot work lets nobody in. Raises `SqlError` while the collections change.
    """
    rule = account.collection.auth.auth_rule if account.collection.auth else None
    if not rule or _CONTEXT in rule or (access.scope is GUEST and _REQUEST in rule):
        return True
    try:
        return await satisfies(access, account.collection, rule, account.id)
    except FilterError:
        return False


async def account_of(accounts: Accounts, collection: Collection, account_id: str) -> Identity:
    """The account of an id. Raises `NotFound`."""
    engine = accounts.engine
    account = await find_identity(engine.read, engine.dialect, collection, {"id": account_id})
    if account is None:
        raise NotFound
    return account


def find_auth_collection(catalog: Catalog, collection_id: str) -> Collection | None:
    """The auth collection with that id; a name does not do."""
    found = catalog.find(collection_id)
    return found if found is not None and found.is_auth and found.id == collection_id else None
