"""POST request-password-reset and confirm-password-reset."""

from __future__ import annotations

import msgspec

from undercroft.api.auth.checks import email_error, refuse, text_error
from undercroft.api.auth.context import auth_collection, read_form
from undercroft.api.auth.verification import AddressForm
from undercroft.auth.letters_asked_for import WithLetters, send_to_whom_it_concerns
from undercroft.auth.password_reset import LETTER, find_who_resets, reset_password
from undercroft.auth.proofs import TokenRefused
from undercroft.backend import Backend
from undercroft.collections.collection import Collection
from undercroft.collections.fields.password import PasswordField
from undercroft.errors import REQUIRED, BadRequest, FieldError
from undercroft.http.request import Request
from undercroft.http.response import Response, no_content
from undercroft.records.accounts import MISMATCH


class NoPasswordsHere(BadRequest):
    """Accounts of this collection have no use for a password."""

    code = "no_passwords_here"
    default = "The collection is not configured to allow password authentication."


class NewPasswordForm(msgspec.Struct, frozen=True, rename="camel"):
    """What was in the letter, and the password that is to be."""

    token: str = ""
    password: str = ""
    password_confirm: str = ""


async def request(request: Request) -> Response:
    """204, whoever is asked for; the letter follows if there is such an account."""
    collection = auth_collection(request)
    check_passwords(collection)
    form = await read_form(request, AddressForm)
    ask_for_password(request.backend, collection, form.email)
    return no_content()


def check_passwords(collection: Collection) -> None:
    """Raise `NoPasswordsHere` where accounts have no use for one."""
    if collection.auth is None or not collection.auth.password_auth.enabled:
        raise NoPasswordsHere


def ask_for_password(backend: Backend, collection: Collection, email: str) -> None:
    """Have the letter follow if there is such an account. Raises `NoPasswordsHere` and `Invalid`."""
    check_passwords(collection)
    refuse({"email": email_error(email)})
    backend.errands.start(send_to_whom_it_concerns(backend, collection, email, LETTER))


async def confirm(request: Request) -> Response:
    """204 once the account has its new password."""
    collection = auth_collection(request)
    await set_password(request.backend, collection, await read_form(request, NewPasswordForm))
    return no_content()


async def set_password(backend: WithLetters, collection: Collection, form: NewPasswordForm) -> None:
    """Give an account the password that its owner, who has the letter, has chosen. Raises `Invalid`."""
    account, refused = None, REQUIRED
    if form.token:
        try:
            account = await find_who_resets(backend, collection, form.token)
        except TokenRefused as problem:
            refused = problem.error
    refuse({"token": None if account else refused} | _password_errors(collection, form))
    if account is not None:
        await reset_password(backend, account, form.token, form.password)


def _password_errors(collection: Collection, form: NewPasswordForm) -> dict[str, FieldError | None]:
    field = collection.by_name["password"]
    least = field.min if isinstance(field, PasswordField) else 1
    is_same = form.password_confirm == form.password
    missing = None if form.password_confirm else REQUIRED
    return {
        "password": text_error(form.password, least=max(least, 1)),
        "passwordConfirm": missing or (None if is_same else MISMATCH),
    }
