"""Forms made from collections, as `{{ form(records.briefs) }}` draws them.

A form asks for what the visitor may fill in, with the limits of the fields as HTML
constraints. After a failure it shows what was typed, and each error beside its field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from markupsafe import Markup

from undercroft.auth.form_token import FormExpired, issue_form_token
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.relation import RelationField
from undercroft.errors import Forbidden, Invalid, Problem, did_you_mean
from undercroft.middleware.authenticate import session_value
from undercroft.pages.controls import Attributes, Control, Option, can_fill_in, make_control
from undercroft.pages.submissions import QUERY, TRAP, Descriptor, Failure
from undercroft.pages.templates import Templates
from undercroft.pages.typed import typed_values
from undercroft.records.reach import CollectionRecords
from undercroft.records.rows import PageRecord, collection_of_record, values_of

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest

_MOST_OPTIONS: Final = 200
_SCRIPTED: Final = {"class": "form", "data-undercroft-form": ""}  # see assets/undercroft.js
_LABELS: Final = ("name", "title", "label", "email", "username")


class NoSuchFormField(Problem):
    """A page puts a field into a form that its collection does not have."""

    code = "no_such_form_field"

    def __init__(self, name: str, collection: Collection) -> None:
        near = did_you_mean(name, list(collection.by_name))
        super().__init__(f"{collection.name!r} has no field {name!r} to put into a form.{near}")


@dataclass(frozen=True, slots=True)
class FormOptions:
    """How a form is to look: what `form(...)` takes, by name.

    `only` and `without` choose fields; `labels`, `help`, `looks` and `attributes` are by
    field; `values` is what a new record begins with, `preset` what is set unseen; `then` is where a success leads, and
    may name fields, as in `/terms/{slug}`; `done` is said where it leads nowhere. With
    `enters` whoever makes an account is signed in at once.
    """

    only: Sequence[str] = ()
    without: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    help: Mapping[str, str] = field(default_factory=dict)
    looks: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    preset: Mapping[str, Any] = field(default_factory=dict)
    then: str = ""
    enters: bool = False
    submit: str = "Send"
    done: str = "Thank you. We have received it."
    name: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A form as its template draws it."""

    id: str
    action: str
    controls: Sequence[Control]
    descriptor: str
    token: str
    submit: str
    problem: str = ""
    done: str = ""
    is_guarded: bool = False
    trap: str = TRAP
    hidden: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=lambda: _SCRIPTED)

    @property
    def has_files(self) -> bool:
        return any(control.look == "file" for control in self.controls)

    @property
    def errors(self) -> bool:
        return any(control.error for control in self.controls)


async def draw_form(
    visit: PageRequest, templates: Templates, target: CollectionRecords | PageRecord, **options: Any
) -> Markup:
    """The HTML of a form for a new record of a collection, or for a record that is there; see `FormOptions`."""
    form = await make_form(visit, target, FormOptions(**options))
    return Markup(await templates.render_own("form.html", {"form": form}))  # noqa: S704 - a template's output


async def make_form(visit: PageRequest, target: CollectionRecords | PageRecord, options: FormOptions) -> Form:
    """A form for a new record of a collection, or for a record that is there. Raises `NoSuchFormField`."""
    record = target if isinstance(target, PageRecord) else None
    collection = collection_of_record(target) if isinstance(target, PageRecord) else target.collection
    names = _chosen(collection, options)
    form_id = options.name or f"form-{collection.name}"
    made = Descriptor(collection.name, names, record.id if record else "", options.then, options.enters, options.preset)
    descriptor = msgspec.json.encode(made).decode()
    failure = visit.failure if visit.failure is not None and visit.failure.sent.form == form_id else None
    held = _held(collection, record, options)
    controls = [await _control(visit, collection.by_name[name], held, options) for name in names]
    if collection.is_auth and "password" in names:
        controls += _beside_password(is_new=record is None)
    query = urlencode({QUERY: collection.name, **({"_record": record.id} if record else {})})
    return Form(
        id=form_id,
        action=f"{visit.path}?{query}",
        controls=[after_failure(failure, control) for control in controls],
        descriptor=descriptor,
        token=_token(visit, descriptor, failure),
        submit=options.submit,
        problem=above(failure),
        done=options.done if visit.query.get("_sent") == form_id else "",
        is_guarded=visit.identity is None,
    )


def _chosen(collection: Collection, options: FormOptions) -> tuple[str, ...]:
    own = {"verified", "emailVisibility"} if collection.is_auth else set()
    fit = [each.name for each in collection.fields if can_fill_in(each) and each.name not in own]
    unknown = [name for name in (*options.only, *options.without) if name not in collection.by_name]
    if unknown:
        raise NoSuchFormField(unknown[0], collection)
    return tuple(name for name in (options.only or fit) if name not in options.without)


def _held(collection: Collection, record: PageRecord | None, options: FormOptions) -> Mapping[str, Any]:
    if record is None:
        return options.values
    return {name: value for name, value in values_of(record).items() if name in collection.by_name}


async def _control(visit: PageRequest, given: Field, held: Mapping[str, Any], options: FormOptions) -> Control:
    name = given.name
    choices = await _related(visit, given) if isinstance(given, RelationField) else ()
    value = held.get(name, given.zero)
    control = make_control(given, given.zero if value is None else value, choices)
    return replace(
        control,
        label=options.labels.get(name, control.label),
        help=options.help.get(name, control.help),
        look=options.looks.get(name, control.look),
        attributes={**_relaxed(control, given, held), **options.attributes.get(name, {})},
        stored=given.to_list(value) if isinstance(given, FileField) and value else (),
    )


def _relaxed(control: Control, given: Field, held: Mapping[str, Any]) -> Mapping[str, Any]:
    """The limits of a control; what is kept while it is left empty is not demanded."""
    keeps = isinstance(given, PasswordField | FileField) and bool(held.get("id") or held.get(given.name))
    return {name: limit for name, limit in control.attributes.items() if not (keeps and name == "required")}


async def _related(visit: PageRequest, given: RelationField) -> Sequence[Option]:
    """The records that a relation may point to, as far as the visitor may list them and they are not too many."""
    target = visit.http.backend.catalog.find(given.collection_id)
    if target is None:
        return ()
    label = next((each.name for each in target.fields if each.presentable), "")
    label = label or next((name for name in _LABELS if name in target.by_name), "id")
    try:
        found = await visit.records[target.name].list(sort=label, per_page=_MOST_OPTIONS + 1)
    except Forbidden:
        return ()
    if len(found) > _MOST_OPTIONS:
        return ()
    return [Option(record.id, str(record[label] or record.id)) for record in found]


def after_failure(failure: Failure | None, control: Control) -> Control:
    """A control with what was typed into it, and what is wrong with that."""
    if failure is None:
        return control
    typed = typed_values([control.name], failure.sent.texts)[control.name]
    error = failure.errors.get(control.name)
    is_secret = control.look == "file" or control.attributes.get("type") == "password"
    is_several = control.look == "checkboxes" or bool(control.attributes.get("multiple"))
    shown = typed if is_several else "".join(typed[-1:])
    return replace(control, value=control.value if is_secret else shown, error=error.message if error else "")


def _beside_password(*, is_new: bool) -> list[Control]:
    """What is typed with an account's password: the same again, and for a change the old one."""
    limits: Attributes = {"type": "password", "maxlength": 255}
    again: Attributes = {**limits, "autocomplete": "new-password", "required": is_new}
    controls = [Control("passwordConfirm", "Repeat the password", "input", again)]
    if not is_new:
        old: Attributes = {**limits, "autocomplete": "current-password"}
        controls.append(Control("oldPassword", "Your password until now", "input", old, help="To change the password."))
    return controls


def above(failure: Failure | None) -> str:
    """What is said above a form, where it is not about one field."""
    if failure is None or (isinstance(failure.problem, Invalid) and failure.errors):
        return ""
    return failure.problem.message()


def _token(visit: PageRequest, descriptor: str, failure: Failure | None) -> str:
    """A token that is good for this form; one that came back and still is keeps its age."""
    visit.is_private = True  # it is for one visitor
    if failure is not None and failure.sent.descriptor == descriptor and not isinstance(failure.problem, FormExpired):
        return failure.sent.token
    return issue_form_token(visit.http.backend.form_key, session_value(visit.http), descriptor)
