"""A collection: its fields, rules and options, as one frozen value."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import msgspec

from undercroft.collections.fields.base import Field
from undercroft.collections.fields.encrypted import Encrypted, encryption_of
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.indexes import parse_indexes, unique_column
from undercroft.collections.options import AuthOptions
from undercroft.collections.seals import Column, Seal, cell_name, columns_of

CollectionType = Literal["base", "auth", "view"]
Action = Literal["list", "view", "create", "update", "delete"]
SUPERUSERS = "_superusers"
SUPERUSERS_ID = "pbc_3142635823"  # SDKs know superusers by it
_TOKEN_KEY = Encrypted(search="equality")


class Collection(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One collection. `auth` is there for auth collections, `view_query` for views.

    `seals` says how far encrypted fields are, by their ids; see `collections.seals`.
    """

    id: str
    name: str
    type: CollectionType = "base"
    system: bool = False
    fields: tuple[Field, ...] = ()
    indexes: tuple[str, ...] = ()
    list_rule: str | None = None
    view_rule: str | None = None
    create_rule: str | None = None
    update_rule: str | None = None
    delete_rule: str | None = None
    auth: AuthOptions | None = None
    view_query: str = ""
    created: str = ""
    updated: str = ""
    seals: dict[str, Seal] = {}

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Fields by exact name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def by_id(self) -> dict[str, Field]:
        return {field.id: field for field in self.fields}

    @cached_property
    def uniquely_indexed(self) -> frozenset[str]:
        """Names of fields that alone carry a unique index."""
        columns = {unique_column(index) for index in parse_indexes(self.indexes)}
        return frozenset(field.name for field in self.fields if field.name.lower() in columns)

    @cached_property
    def file_fields(self) -> tuple[FileField, ...]:
        """The fields that hold files."""
        return tuple(field for field in self.fields if isinstance(field, FileField))

    @cached_property
    def hidden_names(self) -> frozenset[str]:
        """Names of fields that only superusers may send or see; whoever has an account may send its password."""
        hidden = frozenset(field.name for field in self.fields if field.hidden)
        return hidden - {"password"} if self.is_auth else hidden

    @cached_property
    def has_passwords(self) -> bool:
        """Whether any field is kept as a hash."""
        return any(isinstance(field, PasswordField) for field in self.fields)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns of the table."""
        return columns_of(self.fields, self.seals)

    @cached_property
    def read_columns(self) -> dict[str, str]:
        """The column that the values of each field are read from, by the name of the field."""
        return {f.name: cell_name(f.id) if f.name in self.sealed_names else f.name for f in self.fields}

    @cached_property
    def sealed_names(self) -> frozenset[str]:
        """Names of the fields whose values are read from cells."""
        return frozenset(f.name for f in self.fields if f.id in self.seals and self.seals[f.id].is_read)

    @cached_property
    def owners(self) -> dict[str, Field]:
        """For fields whose values are sealed with keys of people or tenants, by name: the field that names whose."""
        subjects = {f.name: self.seals[f.id].subject for f in self.fields if f.id in self.seals}
        return {name: self.by_id[subject] for name, subject in subjects.items() if subject in self.by_id}

    def encryption(self, field: Field) -> Encrypted | None:
        """How a field is to be encrypted: as its option says; always what is secret, or personal, in system fields."""
        if self.is_auth and field.name == "tokenKey":
            return _TOKEN_KEY
        if self.name == "_otps" and field.name == "sentTo":
            return Encrypted()
        return None if self.is_view else encryption_of(field)

    @property
    def is_auth(self) -> bool:
        return self.type == "auth"

    @property
    def is_view(self) -> bool:
        return self.type == "view"

    @property
    def is_superusers(self) -> bool:
        return self.name == SUPERUSERS

    def rule(self, action: Action) -> str | None:
        """The rule for an action: None superusers only, `""` everyone, else an expression."""
        rule: str | None = getattr(self, f"{action}_rule")
        return rule

    def field(self, name: str) -> Field | None:
        """The field of that exact name, or None."""
        return self.by_name.get(name)
