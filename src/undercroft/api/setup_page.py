"""The set-up page: one form, once, for the first superuser. Works without scripts.

The token in the address is the proof; a form sent from another site is refused
all the same.
"""

from __future__ import annotations

from html import escape
from typing import Final

from undercroft.api.plain_page import plain_page
from undercroft.auth.setup_link import check_link, use_link
from undercroft.errors import FieldError, Forbidden, Invalid, Problem
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.middleware.errors import sentence, status_of
from undercroft.middleware.same_origin import host_of

_TYPED_TWICE: Final = 'type="password" required autocomplete="new-password"'
_LIMIT: Final = 16 * 1024


class FromElsewhere(Forbidden):
    """The form was sent from a page of another site."""

    code = "from_elsewhere"
    default = "This form can only be sent from its own page."


class PasswordsDiffer(Invalid):
    """The password and its repetition are not the same."""

    code = "passwords_differ"

    def __init__(self) -> None:
        super().__init__(
            {"passwordConfirm": FieldError("validation_values_mismatch", "The passwords are not the same.")}
        )


async def show(request: Request) -> Response:
    """The form, or that the link is spent."""
    try:
        await check_link(request.backend.engine, request.params["token"])
    except Problem as problem:
        return plain_page("Set-up", f"<p>{escape(problem.message())}</p>", status_of(problem))
    return _form("", "")


async def submit(request: Request) -> Response:
    """Make the superuser; the form again when something was wrong with it."""
    email = ""
    try:
        _check_origin(request)
        texts = (await request.body(_LIMIT)).texts or {}
        email, password, again = (texts.get(name, [""])[0] for name in ("email", "password", "passwordConfirm"))
        if password != again:
            raise PasswordsDiffer
        await use_link(request.backend, request.params["token"], email, password)
    except Invalid as problem:
        return _form(_complaint(problem), email, status_of(problem))
    except Problem as problem:
        return plain_page("Set-up", f"<p>{escape(problem.message())}</p>", status_of(problem))
    return plain_page("Done", f"<p>{escape(email)} is a superuser now. This link is spent.</p>{_NEXT}")


_NEXT: Final = (
    "<p>Log in with a PocketBase SDK, or <code>POST /api/collections/_superusers/auth-with-password</code>.</p>"
)


def _check_origin(request: Request) -> None:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_foreign = site not in {None, "same-origin", "none"}
    if is_foreign or (origin not in {None, "null"} and host_of(origin or "") != request.headers.get("host")):
        raise FromElsewhere


def _complaint(problem: Invalid) -> str:
    found = [(name, error) for name, error in problem.data.items() if isinstance(error, FieldError)]
    return " ".join(f"{name}: {sentence(error.message)}" for name, error in found) or problem.message()


def _form(complaint: str, email: str, status: int = 200) -> Response:
    wrong = f'<p class="wrong" role="alert">{escape(complaint)}</p>' if complaint else ""
    return plain_page(
        "Make the first superuser",
        f'{wrong}<form method="post" autocomplete="off">'
        f'<label>Email<input name="email" type="email" required autofocus value="{escape(email)}"></label>'
        f'<label>Password<input name="password" {_TYPED_TWICE}></label>'
        f'<label>Password again<input name="passwordConfirm" {_TYPED_TWICE}></label>'
        "<button>Make superuser</button></form>",
        status,
    )
