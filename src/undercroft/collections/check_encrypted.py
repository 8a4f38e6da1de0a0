"""May a field be encrypted as its definition says?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from undercroft.collections.change import Change
from undercroft.collections.check_shred import check_shred, shred_problem
from undercroft.collections.collection import Collection
from undercroft.collections.encrypting import is_under_way, subject_of, takes_back
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.encrypted import Encrypted
from undercroft.collections.indexes import Index, mentioned, tokenize
from undercroft.errors import FieldError

_LARGEST_PAD: Final = 4096
_EMPTINESS: Final = re.compile(r"""\s*["`\[]?\w+["`\]]?\s*(!=|<>)\s*''\s*""")
_EXACT_ONLY: Final = frozenset({"number", "date", "select"})
_NEVER_SEARCHED: Final = frozenset({"json", "editor"})


def check_encrypted(change: Change, field: Field) -> FieldError | None:
    """Why a field cannot be encrypted as it wants to be, or be plain again; None when it can."""
    wanted = change.new.encryption(field)
    before = change.old.by_id.get(field.id) if change.old else None
    problems = (*_changes(change, field, before), *_own(change.new, field, wanted), *check_shred(change.new, field))
    return next(filter(None, problems), None)


def check_index(collection: Collection, index: Index) -> FieldError | None:
    """Why an index cannot have an encrypted field in the way it does."""
    known = {field.name.lower(): field for field in collection.fields}
    for name in sorted(mentioned(index)):
        field = known.get(name)
        wanted = collection.encryption(field) if field is not None else None
        if field is None or wanted is None:
            continue
        if problem := _index_problem(index, field, wanted) or shred_problem(index, field, wanted):
            return _error(f"The field {field.name} is encrypted: {problem}.")
    return None


def _changes(change: Change, field: Field, before: Field | None) -> Iterator[FieldError | None]:
    old = change.old
    if old is None or before is None:
        return
    was, wanted, seal = old.encryption(before), change.new.encryption(field), old.seals.get(field.id)
    if was == wanted and (was is None or before.column == field.column):
        return
    if was is not None and wanted is not None and before.column != field.column:
        yield _error("Decrypt the field before it becomes a list, or one value of a list.")
    is_busy = seal is not None and is_under_way(seal) and not (wanted is None or takes_back(seal, wanted))
    if is_busy and was != wanted:
        yield _error("Its values are being encrypted or decrypted at the moment. Try again when that is done.")
    if was is not None and wanted is not None and subject_of(old, before) != subject_of(change.new, field):
        yield _error("Whose keys are used stays what it is: decrypt the field first.")


def _own(collection: Collection, field: Field, wanted: Encrypted | None) -> Iterator[FieldError | None]:
    if wanted is None:
        return
    if field.name == "id":
        yield _error("The id of a record is never encrypted.")
    if not 0 <= wanted.pad <= _LARGEST_PAD:
        yield _error(f"The padding must be between 0 and {_LARGEST_PAD} bytes.")
    if wanted.search == "equality":
        yield from _search(field, wanted)
    elif wanted.normalize != "exact":
        yield _error('How values are compared is only said with {"search": "equality"}.')
    elif collection.auth is not None and field.name in ("email", *collection.auth.password_auth.identity_fields):
        yield _error('Accounts are looked up by this field, which takes {"search": "equality"}.')


def _search(field: Field, wanted: Encrypted) -> Iterator[FieldError | None]:
    if field.type in _NEVER_SEARCHED or field.is_multiple:
        yield _error("Values of this kind cannot be looked up while they are encrypted.")
    if field.type == "select" and not wanted.allow_leakage:
        text = "Counting equal values would tell which choice is which."
        yield _error(f'{text} Say {{"allowLeakage": true}} where that is no harm, or leave out the search.')
    if field.type in _EXACT_ONLY and wanted.normalize != "exact":
        yield _error("Values of this kind have one spelling: they are compared exactly.")


def _index_problem(index: Index, field: Field, wanted: Encrypted) -> str:
    own = [column for column in index.columns if column.name.lower() == field.name.lower()]
    if wanted.search != "equality":
        return 'an index on it takes {"search": "equality"}'
    if any(column.is_expression for column in index.columns) and not own:
        return "an index can have it as it is, and in no expression"
    if any(column.collate for column in own):
        return 'an index on it has no collation; which spellings are the same is said by "normalize"'
    in_where = {token.name.lower() for token in tokenize(index.where) or ()}
    if field.name.lower() in in_where and not _EMPTINESS.fullmatch(index.where):
        return "the condition of an index can only ask whether it is empty"
    return ""


def _error(text: str) -> FieldError:
    return FieldError("validation_encrypted_field", text)
