"""POST /api/settings/test/email: send one of the letters, and say at once whether that worked."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from undercroft.api.auth.checks import email_error
from undercroft.api.auth.context import read_form
from undercroft.auth.letters import LetterKind
from undercroft.auth.sample_letters import KINDS, SECONDS, sample_letter
from undercroft.backend import Backend
from undercroft.collections.collection import Collection
from undercroft.errors import REQUIRED, BadRequest, FieldError, Invalid
from undercroft.http.request import Request
from undercroft.http.response import Response, no_content
from undercroft.mail.carrier import NotSent
from undercroft.mail.message import Mailbox
from undercroft.mail.outbox import Sealed, seal

PATIENCE: Final = 15.0  # seconds
_FAILED: Final = "Failed to send the test email."
_NO_CHOICE: Final = FieldError("validation_in_invalid", "Must be a valid value.")
_NO_COLLECTION: Final = FieldError("validation_invalid_auth_collection", "Must be a valid auth collection id or name.")


class MailTestFailed(BadRequest):
    """The mail server did not take the test letter; the sentence says why."""

    code = "mail_test_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{_FAILED} Raw error: \n{reason}")


class MailTestForm(msgspec.Struct, frozen=True):
    """Which letter, to whom, of which collection; without one of superusers."""

    email: str = ""
    template: str = ""
    collection: str = ""


async def send(request: Request) -> Response:
    """204 once the letter was handed over. Raises `MailTestFailed`, and `Invalid` for a bad form."""
    form = await read_form(request, MailTestForm)
    letter = _write(request.backend, _collection(request.backend, form), form)
    try:
        async with asyncio.timeout(PATIENCE):
            for post in letter.posts:
                await request.backend.carrier.carry(post)
    except NotSent as problem:
        raise MailTestFailed(problem.message()) from problem
    except TimeoutError as error:
        raise MailTestFailed(f"The mail server did not answer within {PATIENCE:.0f} seconds.") from error
    return no_content()


def _collection(backend: Backend, form: MailTestForm) -> Collection:
    """The collection that the letter is of. Raises `Invalid` with all that is wrong with the form."""
    collection = backend.catalog.find(form.collection) if form.collection else backend.catalog.superusers
    is_auth = collection is not None and collection.is_auth
    errors = {
        "email": email_error(form.email),
        "template": REQUIRED if not form.template else None if form.template in KINDS else _NO_CHOICE,
        "collection": None if is_auth else _NO_COLLECTION,
    }
    found: dict[str, Any] = {name: error for name, error in errors.items() if error}
    if found or collection is None:
        raise Invalid(found, _FAILED)
    return collection


def _write(backend: Backend, collection: Collection, form: MailTestForm) -> Sealed:
    kind: LetterKind = form.template  # type: ignore[assignment]  # was found among the kinds
    return seal(sample_letter(collection, kind, Mailbox(form.email), backend.settings.meta), kind, SECONDS)
