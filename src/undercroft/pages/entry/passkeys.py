"""In with a passkey, and the passkeys of the visitor's own account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from undercroft.api.auth.own import check_fresh, own_account
from undercroft.api.auth.passkeys import UNNAMED, NewPasskeyForm, add_made, render_passkey
from undercroft.auth.passkeys import LONGEST_NAME, list_passkeys, remove_passkey
from undercroft.pages.controls import Control
from undercroft.pages.entry.entering import enter_by_passkey, passkey_attributes, read_credential
from undercroft.pages.entry.entry import Entry, Received, collection_of
from undercroft.pages.submissions import done_url

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

_NAME: Final = Control(
    "name",
    "What to call it",
    "input",
    {"type": "text", "maxlength": LONGEST_NAME, "autocomplete": "off"},
    help="Such as “my phone”. You will know it by this name here.",
)


async def _add(visit: PageRequest, received: Received) -> str:
    form = NewPasskeyForm(read_credential(received), received.text("name").strip() or UNNAMED)
    await add_made(visit.http, collection_of(visit, received), form)
    return received.then or done_url(visit, NEW_PASSKEY.name)


async def _remove(visit: PageRequest, received: Received) -> str:
    account = own_account(visit.http, collection_of(visit, received))
    await check_fresh(visit.http)
    await remove_passkey(visit.http.backend.engine, account, received.text("passkey"))
    return received.then or done_url(visit, REMOVE_PASSKEY.name)


async def own_passkeys(visit: PageRequest) -> Sequence[dict[str, Any]]:
    """The passkeys of the visitor, as `{{ passkeys() }}` lists them; none for a guest."""
    if visit.identity is None:
        return ()
    engine = visit.http.backend.engine
    found = await list_passkeys(engine.read, engine.dialect, visit.identity)
    return [render_passkey(each) for each in found]


PASSKEY: Final = Entry(
    "passkey",
    "Use a passkey",
    enter_by_passkey,
    carries=("credential",),
    steps=("second-step",),
    attributes=lambda collection, _: passkey_attributes(collection),
    counts_as=("auth-with-passkey", "authWithPasskey", "auth"),
)
NEW_PASSKEY: Final = Entry(
    "new-passkey",
    "Add a passkey",
    _add,
    lambda *_: (_NAME,),
    done="The passkey was added: it opens your account from now on.",
    carries=("credential",),
    attributes=lambda collection, _: {
        "data-passkey": "make",
        "data-options": f"/api/collections/{collection}/request-passkey",
    },
)
REMOVE_PASSKEY: Final = Entry("remove-passkey", "Remove", _remove, carries=("passkey",), look="button.html")
