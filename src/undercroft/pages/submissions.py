"""Taking what a form of ours sent: checked, written by the visitor's rules, answered with where to go.

What a form may write is said in its descriptor, which is signed together with the
moment and the session: a field that was not offered cannot be slipped in, and another
site's form is refused. A success sends the visitor on, so that reloading sends nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec

from undercroft.api.auth.admit import Way, needs_second_factor
from undercroft.api.auth.context import AuthRuleNotMet, check_auth_rule
from undercroft.api.rates import check_rate_of_item
from undercroft.api.records import read_submission
from undercroft.auth.form_token import FormExpired, form_age
from undercroft.collections.collection import Collection
from undercroft.errors import FieldError, Forbidden, Invalid, Problem
from undercroft.http.body import Body
from undercroft.http.client_ip import network_of
from undercroft.middleware.authenticate import session_value
from undercroft.middleware.errors import status_of
from undercroft.middleware.throttle import Throttle
from undercroft.pages.reach import PageReach
from undercroft.pages.sessions import begin
from undercroft.pages.storing import storing_with
from undercroft.pages.typed import Texts, read_typed
from undercroft.records.reach import Records
from undercroft.records.record import find_identity
from undercroft.records.rows import PageRecord, values_of

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

QUERY: Final = "_form"  # the parameter of the URL that says: this is a form of ours
TRAP: Final = "website_url"  # nobody sees this field, so who fills it in is no person
MIN_SECONDS: Final = 2.0  # nobody fills a form in faster
_UNPROCESSABLE: Final = 422


class TooQuick(Forbidden):
    """A form came back sooner than a person can fill it in."""

    code = "form_too_quick"
    default = "That was very quick. Please take a breath, and send it again."


class OneMoreStep(Problem):
    """What was sent was right, and the page is to come back with another form: that of the next step.

    401 says that nobody is signed in yet. `values` are what that form carries along, or shows.
    """

    code = "one_more_step"
    default = "One more step is needed."

    def __init__(self, entry: str, values: Mapping[str, str], status: int = 401) -> None:
        super().__init__()
        self.entry = entry
        self.values = values
        self.status = status


class Descriptor(msgspec.Struct, frozen=True):
    """What a form writes: a new record, or that with the id `record`; and where the visitor goes then.

    `preset` are values that the page sets and the visitor does not see. With `enters` the
    record is an account, and whoever made it is signed in.
    """

    collection: str
    fields: tuple[str, ...]
    record: str = ""
    then: str = ""
    enters: bool = False
    preset: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with a form: the form's id, its descriptor and token as they were, and all texts."""

    form: str = ""
    descriptor: str = ""
    token: str = ""
    texts: Texts = field(default_factory=dict)


@dataclass(slots=True)
class Failure:
    """What became of a form that was refused."""

    sent: Sent
    problem: Problem
    is_drawn: bool = False
    """Whether the step that is due stands on the page by now, which it does once."""

    @property
    def errors(self) -> Mapping[str, FieldError]:
        """Errors by field."""
        return {name: error for name, error in self.problem.data.items() if isinstance(error, FieldError)}

    @property
    def status(self) -> int:
        """The status of the page that draws the form again (422 for values that were refused: RFC 9110, 15.5.21)."""
        if isinstance(self.problem, OneMoreStep):
            return self.problem.status
        return _UNPROCESSABLE if isinstance(self.problem, Invalid) else status_of(self.problem)


class Submissions:
    """Takes the forms of a site; guests may send ten a minute."""

    def __init__(self) -> None:
        self._throttle = Throttle(10, 60.0)

    async def take(self, visit: PageRequest) -> str:
        """Write what a form sent; where the visitor goes then.

        Raises `FormExpired`, `TooQuick`, `TooMany`, `RateLimited`, and what the write is refused with.
        """
        collection = visit.http.backend.catalog.collection(visit.query[QUERY])
        body = await read_submission(visit.http, collection, visit.query.get("_record") or None)
        try:
            return await self._write(visit, collection, body)
        finally:
            await visit.http.backend.staging.discard(body.uploads)

    async def _write(self, visit: PageRequest, collection: Collection, body: Body) -> str:
        sent = read_sent(body.texts or {})
        visit.failure = Failure(sent, FormExpired())
        descriptor, age = open_form(visit, sent)
        _check_target(visit, descriptor, collection)
        if visit.identity is None:
            if any(sent.texts.get(TRAP, ())):
                return done_url(visit, sent.form)  # a machine is told what it hopes to hear
            self._throttle.check(network_of(visit.http.client_ip))
            if age < MIN_SECONDS:
                raise TooQuick
        check_rate_of_item(visit.http, collection, "update" if descriptor.record else "create", descriptor.record)
        data = read_typed(collection, descriptor.fields, sent.texts)
        data |= _uploads(collection, descriptor, body) | dict(descriptor.preset)
        records = Records(PageReach(visit.http, visit.clock, also=storing_with(visit)))
        record = await records[collection.name].save(descriptor.record or None, data)
        if descriptor.enters:
            await _enter(visit, collection, record.id)
        return _place(descriptor.then, record) or done_url(visit, sent.form)


async def _enter(visit: PageRequest, collection: Collection, record_id: str) -> None:
    """Sign in whoever has just made an account, unless it may not come in yet, or not by a password alone."""
    engine = visit.http.backend.engine
    identity = await find_identity(engine.read, engine.dialect, collection, {"id": record_id})
    if identity is None:
        return
    with suppress(AuthRuleNotMet):
        await check_auth_rule(visit.http, identity, "password")
        if not await needs_second_factor(visit.http, identity, Way("password")):
            await begin(visit, identity)


def done_url(visit: PageRequest, form_id: str) -> str:
    """Where a form leads that leads nowhere else: to itself, which says that it was received."""
    return f"{visit.path}?{urlencode({'_sent': form_id})}#{quote(form_id)}"


def read_sent(texts: Texts) -> Sent:
    """What came with a form, taken apart."""

    def one(name: str) -> str:
        return "".join(texts.get(name, ()))

    return Sent(one("_id"), one(QUERY), one("_token"), texts)


def open_form(visit: PageRequest, sent: Sent) -> tuple[Descriptor, float]:
    """What a form writes, and how many seconds ago it was drawn. Raises `FormExpired`."""
    age = form_age(visit.http.backend.form_key, session_value(visit.http), sent.token, sent.descriptor)
    return msgspec.json.decode(sent.descriptor, type=Descriptor), age


def _check_target(visit: PageRequest, descriptor: Descriptor, collection: Collection) -> None:
    """Raises `FormExpired` for a form that was drawn for something else, or has fields that are gone."""
    is_same = descriptor.collection == collection.name and descriptor.record == visit.query.get("_record", "")
    if not is_same or any(name not in collection.by_name for name in descriptor.fields):
        raise FormExpired


def _uploads(collection: Collection, descriptor: Descriptor, body: Body) -> dict[str, Any]:
    """The files of a form; where a field holds several, they join those that are there."""
    files: dict[str, Any] = {}
    for name in descriptor.fields:
        if uploads := body.files.get(name):
            joins = bool(descriptor.record) and collection.by_name[name].is_multiple
            files[f"{name}+" if joins else name] = uploads
    return files


def _place(then: str, record: PageRecord) -> str:
    """Where a success leads, with the record's values in their places."""
    values = values_of(record)
    return re.sub(r"\{(\w+)\}", lambda found: quote(str(values.get(found[1], "")), safe=""), then)
