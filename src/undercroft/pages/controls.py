"""From a field of a collection to a control of an HTML form, with the field's own limits as HTML constraints.

Pure: a control is a value, and templates make HTML of it. What a constraint of HTML
cannot say is left to the validation that every write goes through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.boolean import BoolField
from undercroft.collections.fields.choices import ChoiceField
from undercroft.collections.fields.date import DateField
from undercroft.collections.fields.editor import EditorField
from undercroft.collections.fields.email import EmailField
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.geo_point import GeoPointField
from undercroft.collections.fields.json import JsonField
from undercroft.collections.fields.number import NumberField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.relation import RelationField
from undercroft.collections.fields.select import SelectField
from undercroft.collections.fields.text import TextField
from undercroft.collections.fields.url import UrlField

Look = Literal["input", "textarea", "select", "checkbox", "checkboxes", "file"]
Attributes = Mapping[str, str | int | float | bool]

_LINE: Final = 300  # texts that may be longer get several lines
_FEW: Final = 12  # so many choices of which several count are shown at once
_DEFAULT_TEXT: Final = 5000
_DEFAULT_FILE: Final = 5 * 1024 * 1024
_LONGEST_PASSWORD: Final = 71
_NOT_FOR_BROWSERS: Final = re.compile(r"\(\?|\\[pPQEAzCx]|\[\[:")
# What browsers can fill in for their users (HTML, 4.10.18.7.1), by the usual names of fields.
_FILLED_IN: Final = {
    **dict.fromkeys(("name", "fullname"), "name"),
    **dict.fromkeys(("phone", "tel", "mobile"), "tel"),
    **dict.fromkeys(("company", "organization", "organisation"), "organization"),
    "email": "email",
    "username": "username",
    "address": "street-address",
    "city": "address-level2",
    "zip": "postal-code",
    "country": "country-name",
    "website": "url",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One of the choices."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Control:
    """What a visitor fills in: one field. `value` is what stands in it, a list where several may be chosen.

    `stored` are the names of files that are there already.
    """

    name: str
    label: str
    look: Look
    attributes: Attributes = field(default_factory=dict)
    value: str | Sequence[str] = ""
    options: Sequence[Option] = ()
    help: str = ""
    error: str = ""
    stored: Sequence[str] = ()

    @property
    def html_attributes(self) -> Mapping[str, str | int | float]:
        """The attributes as HTML spells them: one that is simply there has its name as value."""
        return {name: name if value is True else value for name, value in self.attributes.items() if value is not False}

    @property
    def is_required(self) -> bool:
        return bool(self.attributes.get("required"))

    def is_chosen(self, option: Option) -> bool:
        """Whether a choice is what stands in the control."""
        return option.value in ([self.value] if isinstance(self.value, str) else self.value)


def can_fill_in(candidate: Field) -> bool:
    """Whether forms have a control for a field: the server itself sets ids, dates of changes and hidden values."""
    is_own = isinstance(candidate, AutodateField) or (isinstance(candidate, TextField) and candidate.primary_key)
    return not is_own and not candidate.hidden


def make_control(given: Field, value: Any, options: Sequence[Option] = ()) -> Control:
    """The control for a field that holds a stored value; `options` are what a relation may point to."""
    look, attributes = _ways(given, options)
    limits = {name: limit for name, limit in attributes.items() if limit not in {"", False}}
    if given.is_required and look != "checkboxes":
        limits["required"] = True
    if hint := _FILLED_IN.get(given.name.lower()):
        limits.setdefault("autocomplete", hint)
    return Control(
        name=given.name,
        label=label_of(given.name),
        look=look,
        attributes=limits,
        value=shown_value(given, value),
        options=_select_options(given) if isinstance(given, SelectField) else options,
        help=getattr(given, "help", ""),
    )


def label_of(name: str) -> str:
    """A field's name in words: `companyName` and `company_name` are both `Company name`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).replace("_", " ").strip()
    return words[:1].upper() + words[1:].lower() if not words.isupper() else words


def shown_value(given: Field, value: Any) -> str | list[str]:
    """A stored value as it stands in a control; nothing of passwords and files."""
    if isinstance(given, PasswordField | FileField) or value == given.zero:
        return [] if given.is_multiple else ""
    if isinstance(given, ChoiceField) and given.is_multiple:
        return given.to_list(value)
    if isinstance(given, DateField):
        return str(value)[:16].replace(" ", "T")
    if isinstance(given, BoolField):
        return "true" if value else ""
    if isinstance(given, NumberField):
        return f"{value:g}" if isinstance(value, float) and not value.is_integer() else str(int(value))
    if isinstance(given, JsonField | GeoPointField):
        return msgspec.json.encode(value).decode()
    return str(value)


def _ways(given: Field, options: Sequence[Option]) -> tuple[Look, Attributes]:
    if isinstance(given, RelationField) and not options:
        return "input", {"type": "text"}
    make = _WAYS.get(type(given))
    return make(given) if make else ("textarea", {})


def _text(given: Any) -> tuple[Look, Attributes]:
    limits = {"minlength": given.min or "", "maxlength": given.max or _DEFAULT_TEXT}
    if given.max > _LINE and not given.pattern:
        return "textarea", limits
    kind = "tel" if _FILLED_IN.get(given.name.lower()) == "tel" else "text"
    return "input", {"type": kind, **limits, "pattern": browser_pattern(given.pattern)}


def browser_pattern(pattern: str) -> str:
    """An RE2 expression for the attribute `pattern`, which is of the whole value; empty where browsers differ."""
    if not pattern or _NOT_FOR_BROWSERS.search(pattern):
        return ""
    start, end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith(r"\$")
    inner = pattern[1 if start else 0 : -1 if end else None]
    return f"{'' if start else '.*'}(?:{inner}){'' if end else '.*'}"


def _password(given: Any) -> tuple[Look, Attributes]:
    limits = {"minlength": given.min or "", "maxlength": given.max or _LONGEST_PASSWORD}
    return "input", {"type": "password", "autocomplete": "new-password", **limits}


def _number(given: Any) -> tuple[Look, Attributes]:
    bounds = {name: bound for name in ("min", "max") if (bound := getattr(given, name)) is not None}
    return "input", {"type": "number", "step": 1 if given.only_int else "any", **bounds}


def _date(given: Any) -> tuple[Look, Attributes]:
    bounds = {name: bound[:16].replace(" ", "T") for name in ("min", "max") if (bound := getattr(given, name))}
    return "input", {"type": "datetime-local", **bounds}


def _choice(given: Any) -> tuple[Look, Attributes]:
    if not given.is_multiple:
        return "select", {}
    few = isinstance(given, SelectField) and len(given.values) <= _FEW
    return ("checkboxes", {"data-max": given.max_select}) if few else ("select", {"multiple": True})


def _file(given: Any) -> tuple[Look, Attributes]:
    most = {"data-max-files": max(given.max_select, 1), "data-max-size": given.max_size or _DEFAULT_FILE}
    return "file", {"multiple": given.is_multiple, "accept": ",".join(given.mime_types), **most}


def _select_options(given: SelectField) -> list[Option]:
    return [Option(value, label_of(value)) for value in given.values]


_WAYS: Final[Mapping[type[Field], Callable[[Any], tuple[Look, Attributes]]]] = {
    TextField: _text,
    PasswordField: _password,
    NumberField: _number,
    DateField: _date,
    SelectField: _choice,
    RelationField: _choice,
    FileField: _file,
    EmailField: lambda _: ("input", {"type": "email", "maxlength": 255}),
    UrlField: lambda _: ("input", {"type": "url"}),
    BoolField: lambda _: ("checkbox", {}),
    EditorField: lambda _: ("textarea", {}),
}
