"""An authenticator app for the visitor's own account: set up, its recovery codes, and done away with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from undercroft.api.auth.own import caller, check_fresh, own_account
from undercroft.api.auth.totp import render_seed, trying_account
from undercroft.auth.recovery_codes import count_recovery_codes
from undercroft.auth.totp import (
    begin_totp,
    check_totp_is_on,
    confirm_totp,
    end_totp,
    has_totp,
    renew_recovery_codes,
)
from undercroft.auth.totp_codes import SEED_LENGTH
from undercroft.pages.entry.controls import code_control
from undercroft.pages.entry.entry import Entry, Received, collection_of
from undercroft.pages.submissions import OneMoreStep, done_url
from undercroft.query.scope import Identity

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

_SHOWN: Final = 200  # nothing was refused
_FROM_APP: Final = code_control("code", "Code", "Six digits, from the app.", inputmode="numeric")
_ANY: Final = code_control("code", "Code", "From your authenticator app, or one of your recovery codes.")


async def own_authenticator(visit: PageRequest) -> dict[str, Any]:
    """Whether the visitor has an app (`enabled`), and how many `recoveryCodes` are left, as `{{ authenticator() }}`."""
    if visit.identity is None:
        return {"enabled": False, "recoveryCodes": 0}
    engine = visit.http.backend.engine
    left = await count_recovery_codes(engine.read, engine.dialect, visit.identity)
    return {"enabled": await has_totp(engine, visit.identity), "recoveryCodes": left}


def seed_for(visit: PageRequest, secret: str) -> dict[str, str]:
    """What to show of a secret while it is set up: a `uri`, and a picture of it, `qr`. Raises `Unauthenticated`."""
    # It comes back with the form, as long as whoever sent that has made it, and a picture holds only so much.
    return render_seed(visit.http, caller(visit.http), secret[:SEED_LENGTH])


async def _begin(visit: PageRequest, received: Received) -> str:
    account = own_account(visit.http, collection_of(visit, received))
    check_totp_is_on(account.collection)
    await check_fresh(visit.http)
    secret = await begin_totp(visit.http.backend.engine, account)
    raise OneMoreStep(CONFIRM.name, {"secret": secret}, _SHOWN)


async def _confirm(visit: PageRequest, received: Received) -> str:
    account, code = await _read(visit, received)
    codes = await confirm_totp(visit.http.backend, account, code)
    raise OneMoreStep(RECOVERY_CODES.name, {"codes": "\n".join(codes)}, _SHOWN)


async def _renew(visit: PageRequest, received: Received) -> str:
    account, code = await _read(visit, received)
    codes = await renew_recovery_codes(visit.http.backend, account, code)
    raise OneMoreStep(RECOVERY_CODES.name, {"codes": "\n".join(codes)}, _SHOWN)


async def _end(visit: PageRequest, received: Received) -> str:
    account, code = await _read(visit, received)
    await end_totp(visit.http.backend, account, code)
    return received.then or done_url(visit, END.name)


async def _go_on(visit: PageRequest, received: Received) -> str:
    return received.then or visit.path


async def _read(visit: PageRequest, received: Received) -> tuple[Identity, str]:
    """The visitor's account, and the code they show, which is counted as a try."""
    account = await trying_account(visit.http, collection_of(visit, received))
    return account, received.text("code").replace(" ", "")


CONFIRM: Final = Entry("confirm-authenticator", "Turn it on", _confirm, lambda *_: (_FROM_APP,), carries=("secret",))
RECOVERY_CODES: Final = Entry("recovery-codes", "I have kept them", _go_on)
AUTHENTICATOR: Final = Entry("authenticator", "Set it up", _begin, steps=(CONFIRM.name, RECOVERY_CODES.name))
RENEW: Final = Entry("renew-recovery-codes", "Make new ones", _renew, lambda *_: (_ANY,), steps=(RECOVERY_CODES.name,))
END: Final = Entry(
    "end-authenticator",
    "Turn it off",
    _end,
    lambda *_: (_ANY,),
    done="Codes are not asked for any more.",
)
