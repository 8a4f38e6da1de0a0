"""What is done by letter: a new password, an address that is proven, another address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from undercroft.api.auth.checks import email_error, refuse
from undercroft.api.auth.own import caller
from undercroft.api.auth.password_reset import NewPasswordForm, ask_for_password, set_password
from undercroft.auth import verification
from undercroft.auth.email_change import confirm_email_change, request_email_change
from undercroft.auth.letters_asked_for import send_to_whom_it_concerns
from undercroft.auth.proofs import TokenRefused
from undercroft.auth.verification import confirm_verification
from undercroft.collections.collection import Collection
from undercroft.pages.entry.controls import EMAIL, NEW_EMAIL, PASSWORD, new_password_controls
from undercroft.pages.entry.entry import Entry, Received, collection_of, find_named
from undercroft.pages.submissions import done_url

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

_STALE: Final = "This link was used already, or has expired. Ask for another one."


async def _ask_for_password(visit: PageRequest, received: Received) -> str:
    email = received.text("email").strip()
    ask_for_password(visit.http.backend, collection_of(visit, received), email)
    return done_url(visit, RESET.name)


async def _set_password(visit: PageRequest, received: Received) -> str:
    form = NewPasswordForm(received.text("token"), received.text("password"), received.text("passwordConfirm"))
    await set_password(visit.http.backend, _named(visit, form.token), form)
    return received.then or done_url(visit, NEW_PASSWORD.name)


async def _ask_to_verify(visit: PageRequest, received: Received) -> str:
    account, backend = caller(visit.http), visit.http.backend
    email = str(account.record["email"])
    backend.errands.start(send_to_whom_it_concerns(backend, account.collection, email, verification.LETTER))
    return received.then or done_url(visit, VERIFICATION.name)


async def _verify(visit: PageRequest, received: Received) -> str:
    token = received.text("token")
    await confirm_verification(visit.http.backend, _named(visit, token), token)
    return received.then or done_url(visit, VERIFY.name)


async def _ask_for_address(visit: PageRequest, received: Received) -> str:
    new_email = received.text("newEmail").strip()
    refuse({"newEmail": email_error(new_email)})
    await request_email_change(visit.http.backend, caller(visit.http), new_email)
    return received.then or done_url(visit, NEW_ADDRESS.name)


async def _move(visit: PageRequest, received: Received) -> str:
    token = received.text("token")
    await confirm_email_change(visit.http.backend, _named(visit, token), token, received.text("password"))
    return received.then or done_url(visit, CONFIRM_ADDRESS.name)


def _named(visit: PageRequest, token: str) -> Collection:
    """The collection that a token of a letter names, which is not believed yet. Raises `TokenRefused`."""
    found = find_named(visit, token)
    if found is None:
        raise TokenRefused
    return found


RESET: Final = Entry(
    "reset",
    "Send me a link",
    _ask_for_password,
    lambda *_: (EMAIL,),
    done="If there is an account with that address, a letter is on its way to it.",
    counts_as=("request-password-reset", "requestPasswordReset"),
)
NEW_PASSWORD: Final = Entry(
    "new-password",
    "Set the password",
    _set_password,
    new_password_controls,
    done="Your new password counts from now on.",
    stale=_STALE,
    carries=("token",),
    counts_as=("confirm-password-reset", "confirmPasswordReset"),
    about="letter",
)
VERIFICATION: Final = Entry(
    "verification",
    "Send the letter again",
    _ask_to_verify,
    done="A letter is on its way to you.",
    counts_as=("request-verification", "requestVerification"),
    about="caller",
)
VERIFY: Final = Entry(
    "verify",
    "Yes, it is mine",
    _verify,
    done="Thank you: your address is confirmed.",
    stale=_STALE,
    carries=("token",),
    counts_as=("confirm-verification", "confirmVerification"),
    about="letter",
)
NEW_ADDRESS: Final = Entry(
    "new-address",
    "Write to the new address",
    _ask_for_address,
    lambda *_: (NEW_EMAIL,),
    done="A letter is on its way to the new address. Open the link in it to finish.",
    counts_as=("request-email-change", "requestEmailChange"),
    about="caller",
)
CONFIRM_ADDRESS: Final = Entry(
    "confirm-address",
    "Use this address",
    _move,
    lambda *_: (PASSWORD,),
    done="Your account is at its new address. Please sign in again.",
    stale=_STALE,
    carries=("token",),
    counts_as=("confirm-email-change", "confirmEmailChange"),
    about="letter",
)
