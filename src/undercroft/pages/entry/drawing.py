"""From a kind of form to its HTML, and the names that templates draw them by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from markupsafe import Markup

from undercroft.api.rates import check_rate_of_form
from undercroft.auth.form_token import issue_form_token
from undercroft.collections.collection import Collection
from undercroft.middleware.authenticate import session_value
from undercroft.pages.entry import authenticator, codes, entering, letters, passkeys, providers, sessions, signing
from undercroft.pages.entry.entry import NEXT, Entry, Received, find_named, receive
from undercroft.pages.forms import Form, above, after_failure
from undercroft.pages.submissions import QUERY, Descriptor, Failure, OneMoreStep
from undercroft.pages.templates import Templates
from undercroft.records.reach import CollectionRecords

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

_ONCE: Final = frozenset({"credential", "code"})  # a proof that was used goes along no second time
ENTRIES: Final[Mapping[str, Entry]] = {
    each.name: each
    for module in (signing, entering, codes, letters, passkeys, providers, authenticator, sessions)
    for each in vars(module).values()
    if isinstance(each, Entry)
}
_NAMES: Final[Mapping[str, Entry]] = {f"{name.replace('-', '_')}_form": each for name, each in ENTRIES.items()}


def names_of(visit: PageRequest, templates: Templates) -> Mapping[str, Any]:
    """What templates draw such forms by: `sign_in_form` for `sign-in`, and so on."""
    drawn = {name: partial(draw, visit, templates, each) for name, each in _NAMES.items()}
    own = {
        "passkeys": partial(passkeys.own_passkeys, visit),
        "authenticator": partial(authenticator.own_authenticator, visit),
        "sessions": partial(sessions.visitors_sessions, visit),
        "seed": partial(authenticator.seed_for, visit),
    }
    return {**drawn, **own, "step": _step(visit)}


async def take(entry: Entry, visit: PageRequest) -> str:
    """Do what a form is for; where the visitor goes then.

    Raises `RateLimited`, what it is refused for, and `OneMoreStep`.
    """
    received = await receive(visit)
    counted = entry.counts_as(received) if callable(entry.counts_as) else entry.counts_as
    collection = _counted_for(visit, entry, received) if counted else None
    if collection is not None:
        endpoint, *actions = counted
        check_rate_of_form(visit.http, collection, endpoint, actions)
    return await entry.take(visit, received)


def _counted_for(visit: PageRequest, entry: Entry, received: Received) -> Collection | None:
    """Whose accounts a form is about, which is where it acts as well: so nothing else that is sent says it."""
    if entry.about == "caller":
        return visit.identity.collection if visit.identity is not None else None
    if entry.about == "letter":
        return find_named(visit, received.text("token"))
    return visit.http.backend.catalog.find(received.collection)


async def draw(
    visit: PageRequest,
    templates: Templates,
    entry: Entry,
    target: CollectionRecords | None = None,
    *,
    then: str = "",
    submit: str = "",
    **carried: str,
) -> Markup:
    """The HTML of a form for accounts of a collection; in its place that of the step which is due.

    `then` is where a success leads, `submit` what is on the button; `carried` goes along unseen.
    """
    shown, values = _due(visit, entry, carried)
    failure = visit.failure if visit.failure is not None and _is_of(visit.failure, shown, carried) else None
    name = target.collection.name if target is not None else ""
    descriptor = msgspec.json.encode(Descriptor(name, (), then=then)).decode()
    visit.is_private = True
    form = Form(
        id=shown.name,
        action=f"{visit.path}?{urlencode({QUERY: f'@{shown.name}', **_wanted(visit)})}",
        controls=[
            after_failure(failure, each) for each in shown.controls(target.collection if target else None, values)
        ],
        descriptor=descriptor,
        token=issue_form_token(visit.http.backend.form_key, session_value(visit.http), descriptor),
        submit=(submit if shown is entry else "") or shown.submit,
        problem=_said(shown, failure),
        done=shown.done if visit.query.get("_sent") == shown.name else "",
        hidden=values,
        attributes={"class": "form", **shown.attributes(name, values)},
    )
    return Markup(await templates.render_own(shown.look, {"form": form}))  # noqa: S704 - a template's output


def _step(visit: PageRequest) -> Mapping[str, str]:
    """What the step that is due has to show, such as a secret, or codes that are shown once."""
    failure = visit.failure
    if failure is None:
        return {}
    return failure.problem.values if isinstance(failure.problem, OneMoreStep) else _sent_back(failure)


def _is_of(failure: Failure, entry: Entry, given: Mapping[str, str]) -> bool:
    """Whether it was this form that was refused: of several that are alike, the one that carried the same."""
    sent = _sent_back(failure)
    return failure.sent.form == entry.name and all(sent.get(name) == text for name, text in given.items())


def _wanted(visit: PageRequest) -> Mapping[str, str]:
    """Where the visitor wanted to go goes along when a form comes back."""
    return {NEXT: visit.query[NEXT]} if NEXT in visit.query else {}


def _due(visit: PageRequest, entry: Entry, given: Mapping[str, str]) -> tuple[Entry, Mapping[str, str]]:
    """The form that is due where another stands, and what it carries along."""
    failure = visit.failure
    if failure is not None and not failure.is_drawn and (step := _step_of(failure, entry)) is not None:
        failure.is_drawn = True
        return step
    if failure is not None and failure.sent.form == entry.name and not given:
        return _carrying(entry, _sent_back(failure))
    return _carrying(entry, {"token": visit.query.get("token", ""), **given})


def _step_of(failure: Failure, entry: Entry) -> tuple[Entry, Mapping[str, str]] | None:
    """The step that comes after a form, where one is due, and what that carries along."""
    if isinstance(failure.problem, OneMoreStep) and failure.problem.entry in entry.steps:
        return _carrying(ENTRIES[failure.problem.entry], failure.problem.values)
    if failure.sent.form in entry.steps:
        return _carrying(ENTRIES[failure.sent.form], _sent_back(failure))
    return None


def _carrying(entry: Entry, values: Mapping[str, str]) -> tuple[Entry, Mapping[str, str]]:
    return entry, {name: "" if name in _ONCE else values.get(name, "") for name in entry.carries}


def _sent_back(failure: Failure) -> Mapping[str, str]:
    return {name: "".join(texts) for name, texts in failure.sent.texts.items()}


def _said(entry: Entry, failure: Failure | None) -> str:
    """What is said above a form that was refused: of what it carries along no control can tell."""
    unseen = [failure.errors[name].message for name in entry.carries if name in failure.errors] if failure else []
    if unseen:
        return entry.stale or unseen[0]
    return above(failure)
