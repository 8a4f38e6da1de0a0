"""A record as it is to be: stored values after casting and modifiers.

Modifiers are keys such as `count+` or `+tags`; they are applied shortest key
first, on top of a plain value of the same field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from undercroft.collections.collection import Collection
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.casts import as_text, as_texts
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.text import TextField
from undercroft.database.engine import Value
from undercroft.errors import FieldError
from undercroft.records.attachments import NewFile

_AUTOGENERATE = ":autogenerate"


@dataclass(frozen=True, slots=True)
class Submission:
    """What a caller sent: the JSON object or form, and files by key (`docs`, `docs+`, `+docs`)."""

    body: Mapping[str, Any]
    files: Mapping[str, Sequence[NewFile]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be written. `values` has every field; `changed` the names that were submitted."""

    collection: Collection
    before: Mapping[str, Any] | None
    values: dict[str, Any]
    changed: frozenset[str]
    rule_body: Mapping[str, Any]
    new_files: tuple[NewFile, ...] = ()
    errors: Mapping[str, FieldError] = field(default_factory=dict)

    def columns(self) -> dict[str, Value]:
        """The values as the driver takes them."""
        return {f.name: f.to_column(self.values[f.name]) for f in self.collection.fields}


def refusal(draft: Draft) -> str:
    """What is said of a write that was refused."""
    return f"Failed to {'create' if draft.before is None else 'update'} record."


def make_draft(
    collection: Collection, before: Mapping[str, Any] | None, submission: Submission, *, is_superuser: bool
) -> Draft:
    """Cast what was submitted and apply its modifiers to the record before (None: a new one)."""
    body = visible_body(collection, submission.body, is_superuser=is_superuser)
    values = dict(before) if before is not None else {f.name: f.zero for f in collection.fields}
    rule_body = dict(body)
    changed: set[str] = set()
    maker = _Maker(collection, body, submission.files, is_superuser=is_superuser)
    for target in maker.touched():
        if isinstance(target, AutodateField):
            continue
        if isinstance(target, FileField):
            values[target.name], shown = maker.file_value(target, values[target.name])
        else:
            values[target.name] = shown = maker.value(target, values[target.name])
        rule_body[target.name] = shown
        changed.add(target.name)
    return Draft(collection, before, values, frozenset(changed), rule_body, tuple(maker.new_files), maker.errors)


def visible_body(collection: Collection, body: Mapping[str, Any], *, is_superuser: bool) -> Mapping[str, Any]:
    """The body without keys of fields that are hidden from the caller; a password may always be sent."""
    hidden = collection.hidden_names
    if is_superuser or not hidden:
        return body
    return {key: value for key, value in body.items() if field_name(key) not in hidden}


class _Maker:
    """Makes the new value of each field that a body touches."""

    def __init__(
        self,
        collection: Collection,
        body: Mapping[str, Any],
        files: Mapping[str, Sequence[NewFile]],
        *,
        is_superuser: bool,
    ) -> None:
        self.collection = collection
        self.body = body
        self.files = files
        self.is_superuser = is_superuser
        self.new_files: list[NewFile] = []
        self.errors: dict[str, FieldError] = {}
        self._modified = {field_name(key) for key in body if key[:1] == "+" or key[-1:] in "+-" or ":" in key}

    def touched(self) -> Iterator[Field]:
        names = {field_name(key) for key in (*self.body, *self.files)}
        for candidate in self.collection.fields:
            # A stored password is a hash: a modifier would take it for the new plain text.
            sent = self.body if isinstance(candidate, PasswordField) else names
            if candidate.name in sent and (self.is_superuser or not candidate.hidden or candidate.name == "password"):
                yield candidate

    def value(self, target: Field, current: Any) -> Any:
        name = target.name
        if name in self.body:
            current = target.cast(self.body[name])
        if name not in self._modified:
            return current
        for key, sign in ((f"+{name}", "<"), (f"{name}+", "+"), (f"{name}-", "-")):
            if key in self.body:
                current = target.modify(sign, current, self.body[key])
        prefix = self.body.get(name + _AUTOGENERATE)
        if prefix is not None and isinstance(target, TextField) and target.autogenerate_pattern:
            current = as_text(prefix) + target.generate()
        return current

    def file_value(self, target: FileField, current: Any) -> tuple[Any, Any]:
        """The names a file field will hold, and what rules see of it: objects for new files."""
        name, have = target.name, target.to_list(current)
        kept = list(have)
        if name in self.body or name in self.files:
            kept = as_texts(self.body.get(name)) if name in self.body else []
            known = frozenset(have)
            self._refuse_unknown(name, [text for text in kept if text not in known])
        removed = frozenset(as_texts(self.body.get(f"{name}-")))
        kept = [text for text in kept if text not in removed]
        before, after = list(self.files.get(f"+{name}", ())), list(self.files.get(f"{name}+", ()))
        after = [*self.files.get(name, ()), *after]
        if not target.is_multiple:
            kept, before, after = _last_only(kept, before, after)
        self.new_files += [*before, *after]
        names = [*(f.name for f in before), *kept, *(f.name for f in after)]
        value = names if target.is_multiple else (names[-1] if names else "")
        if not (before or after):
            return value, value
        shown = [*(f.shown for f in before), *kept, *(f.shown for f in after)]
        return value, shown if target.is_multiple else shown[-1]

    def _refuse_unknown(self, name: str, unknown: list[str]) -> None:
        if unknown:
            text = f"Invalid new files: [{' '.join(unknown)}]."
            self.errors[name] = FieldError("validation_invalid_file", text, {"invalidFiles": unknown})


def _last_only(
    kept: list[str], before: list[NewFile], after: list[NewFile]
) -> tuple[list[str], list[NewFile], list[NewFile]]:
    """Of a single file field only the last stays."""
    if after:
        return [], [], after[-1:]
    return (kept[-1:], [], []) if kept else ([], before[-1:], [])


def field_name(key: str) -> str:
    """The name of the field that a key of a body is about."""
    if key.endswith(_AUTOGENERATE):
        return key.removesuffix(_AUTOGENERATE)
    return key.removeprefix("+").removesuffix("+").removesuffix("-")
