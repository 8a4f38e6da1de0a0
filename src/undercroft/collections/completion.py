"""What a definition has whether or not its maker said so: ids, system fields, system indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from undercroft import ids
from undercroft.collections.collection import Collection
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.boolean import BoolField
from undercroft.collections.fields.email import EmailField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.primary_key import PATTERN
from undercroft.collections.fields.text import TextField
from undercroft.collections.indexes import move_index, parse_indexes, unique_column
from undercroft.collections.options import AuthOptions, MappedFields
from undercroft.collections.scaffolds import auth_fields, id_field, system_indexes


def complete(collection: Collection, is_taken: Callable[[str], bool]) -> Collection:
    """The collection with everything it must have. `is_taken` says which collection ids are in use."""
    named = replace(collection, id=collection.id or free_collection_id(collection, is_taken))
    if named.is_view:
        return named
    fields = _with_id(named.fields)
    if not named.is_auth:
        return replace(named, fields=fields, indexes=_moved(named))
    whole = replace(named, fields=_with_auth_fields(fields), indexes=_moved(named))
    return replace(whole, indexes=_with_system_indexes(whole), auth=_settled(whole))


def free_collection_id(collection: Collection, is_taken: Callable[[str], bool]) -> str:
    """An id for a new collection, made from its type and name."""
    return _first_free(ids.collection_id(collection.type, collection.name), is_taken)


def join_fields(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Fields as a list where each has an id: a later one takes the place of an earlier one it repeats.

    A field that came with an id repeats the one with the same id; a field without
    repeats the one with the same name, whose id it inherits.
    """
    joined: list[Field] = []
    for field in fields:
        _put(joined, field)
    return tuple(joined)


def _put(joined: list[Field], field: Field) -> None:
    known = {other.id: at for at, other in enumerate(joined)}
    names = {other.name: at for at, other in enumerate(joined)}
    if field.id:
        at = known.get(field.id)
    else:
        at = names.get(field.name)
        fresh = _first_free(ids.field_id(field.type, field.name), known.__contains__)
        field = replace(field, id=fresh if at is None else joined[at].id)
    if at is None:
        joined.append(field)
    else:
        joined[at] = field


def _first_free(wanted: str, is_taken: Callable[[str], bool]) -> str:
    found, suffix = wanted, 2
    while is_taken(found):
        found, suffix = f"{wanted}{suffix}", suffix + 1
    return found


def _with_id(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    for at, field in enumerate(fields):
        if field.name == "id" and isinstance(field, TextField):
            return (*fields[:at], _as_id(field), *fields[at + 1 :])
    return join_fields((id_field(), *fields))


def _as_id(field: TextField) -> TextField:
    pattern = field.pattern or PATTERN
    return replace(field, system=True, required=True, primary_key=True, hidden=False, pattern=pattern)


def _with_auth_fields(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    joined = list(fields)
    for wanted in auth_fields():
        at = next((n for n, field in enumerate(joined) if field.name == wanted.name), None)
        if at is None:
            joined.append(wanted)
        elif type(joined[at]) is not type(wanted):
            joined[at] = replace(wanted, id=joined[at].id)
        else:
            joined[at] = _as_system(joined[at])
    return tuple(joined)


def _as_system(field: Field) -> Field:
    match field:
        case PasswordField():
            return replace(field, system=True, hidden=True, required=True)
        case TextField():
            return replace(field, system=True, hidden=True, required=True)
        case EmailField():
            return replace(field, system=True, hidden=False)
        case BoolField():
            return replace(field, system=True)
    return field


def _moved(collection: Collection) -> tuple[str, ...]:
    return tuple(move_index(text, collection.name) for text in collection.indexes)


def _with_system_indexes(collection: Collection) -> tuple[str, ...]:
    covered = {unique_column(index) for index in parse_indexes(collection.indexes)}
    wanted = system_indexes(collection.id, collection.name)
    return (*collection.indexes, *(text for name, text in wanted.items() if name.lower() not in covered))


def _settled(collection: Collection) -> AuthOptions:
    options = collection.auth or AuthOptions()
    mapped = options.oauth2.mapped_fields
    known = {name: value if value in collection.by_name else "" for name, value in _items(mapped)}
    options = replace(options, oauth2=replace(options.oauth2, mapped_fields=MappedFields(**known)))
    return _superuser_options(options) if collection.is_superusers else options


def _items(mapped: MappedFields) -> list[tuple[str, str]]:
    return [(name, getattr(mapped, name)) for name in mapped.__struct_fields__]


def _superuser_options(options: AuthOptions) -> AuthOptions:
    """Superusers always log in with a password, never through others, and with two factors if they use letters."""
    by_mail = options.otp.enabled or options.magic_link.enabled
    return replace(
        options,
        oauth2=replace(options.oauth2, enabled=False),
        password_auth=replace(options.password_auth, enabled=True),
        mfa=replace(options.mfa, enabled=options.mfa.enabled or by_mail),
    )
