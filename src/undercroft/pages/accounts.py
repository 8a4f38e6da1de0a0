"""Signing in and out by plain forms: `{{ sign_in_form(records.users) }}`, `{{ sign_out_form() }}`.

The visitor gets a session's cookie, which stands for the same account as a bearer token.
A new session is made at each sign-in, and the one before it ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from markupsafe import Markup

from undercroft.api.auth.password import PasswordForm, let_in
from undercroft.auth.form_token import FormExpired, issue_form_token
from undercroft.collections.collection import Collection
from undercroft.http.body import MIB
from undercroft.middleware.authenticate import session_value
from undercroft.pages.controls import Control
from undercroft.pages.forms import Form, above
from undercroft.pages.sessions import begin, end
from undercroft.pages.submissions import QUERY, Descriptor, Failure, open_form, read_sent
from undercroft.pages.templates import Templates
from undercroft.records.reach import CollectionRecords

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

SIGN_IN: Final = "@sign-in"
SIGN_OUT: Final = "@sign-out"


async def sign_in(visit: PageRequest) -> str:
    """Sign in who proves to be somebody; where they go then. Raises what `let_in` raises."""
    body = await visit.http.body(MIB)
    sent = read_sent(body.texts or {})
    visit.failure = Failure(sent, FormExpired())
    descriptor, _ = open_form(visit, sent)
    identity, password = ("".join(sent.texts.get(name, ())) for name in ("identity", "password"))
    collection = visit.http.backend.catalog.collection(descriptor.collection)
    await begin(visit, await let_in(visit.http, collection, PasswordForm(identity.strip(), password)))
    return descriptor.then or visit.path


async def sign_out(visit: PageRequest) -> str:
    """End the session; where the visitor goes then."""
    sent = read_sent((await visit.http.body(MIB)).texts or {})
    visit.failure = Failure(sent, FormExpired())
    descriptor, _ = open_form(visit, sent)
    await end(visit)
    return descriptor.then or "/"


async def draw_sign_in(
    visit: PageRequest, templates: Templates, target: CollectionRecords, then: str = "", submit: str = "Sign in"
) -> Markup:
    """The HTML of a form to sign in with an account of a collection."""
    failure = visit.failure if visit.failure and visit.failure.sent.form == "sign-in" else None
    typed = "".join(failure.sent.texts.get("identity", ())) if failure else ""
    form = _form(visit, SIGN_IN, Descriptor(target.collection.name, (), then=then), submit)
    controls = (_identity(target.collection, typed), _PASSWORD)
    drawn = replace(form, controls=controls, problem=above(failure))
    return Markup(await templates.render_own("form.html", {"form": drawn}))  # noqa: S704 - a template's output


async def draw_sign_out(visit: PageRequest, templates: Templates, then: str = "/", submit: str = "Sign out") -> Markup:
    """The HTML of a button to sign out."""
    form = _form(visit, SIGN_OUT, Descriptor("", (), then=then), submit)
    return Markup(await templates.render_own("button.html", {"form": form}))  # noqa: S704 - a template's output


_PASSWORD: Final = Control(
    "password",
    "Password",
    "input",
    {"type": "password", "required": True, "autocomplete": "current-password", "maxlength": 255},
)


def _identity(collection: Collection, typed: str) -> Control:
    names = collection.auth.password_auth.identity_fields if collection.auth else ()
    is_email = tuple(names) in ((), ("email",))
    limits: dict[str, Any] = {"type": "email" if is_email else "text", "required": True, "maxlength": 255}
    label = "E-mail" if is_email else " or ".join("e-mail" if name == "email" else name for name in names).capitalize()
    return Control("identity", label, "input", {**limits, "autocomplete": "username"}, typed)


def _form(visit: PageRequest, kind: str, made: Descriptor, submit: str) -> Form:
    descriptor = msgspec.json.encode(made).decode()
    visit.is_private = True
    token = issue_form_token(visit.http.backend.form_key, session_value(visit.http), descriptor)
    action = f"{visit.path}?{urlencode({QUERY: kind})}"
    return Form(kind.removeprefix("@"), action, (), descriptor, token, submit)
