"""Who may begin which upload: nobody whom no rule could let use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.collections.fields.file import FileField
from undercroft.errors import BadRequest, Forbidden, did_you_mean
from undercroft.files.staging import Wanted
from undercroft.files.tus_state import MIB, MOST, Quota
from undercroft.http.client_ip import network_of
from undercroft.http.request import Request
from undercroft.query.scope import Scope
from undercroft.records.attachments import DEFAULT_MAX_SIZE
from undercroft.records.judge import refuse_view
from undercroft.records.read import guard

_LEAST_WAITING: Final = 512 * MIB
_LARGEST_WAITING: Final = 4  # files of the largest size


class NowhereToUpload(Forbidden):
    """No collection would take a file from the caller."""

    code = "nowhere_to_upload"
    default = "No collection takes files from you."


class NoFileField(BadRequest):
    """An upload is for a field that there is not, that holds no files, or that the caller may not see."""

    code = "no_file_field"

    def __init__(self, collection: Collection, name: str, known: Iterable[str]) -> None:
        super().__init__(f"No file field {name!r} in {collection.name!r}." + did_you_mean(name, list(known)))


def size_limit(catalog: Catalog, scope: Scope | None, metadata: Mapping[str, str]) -> int:
    """How many bytes an upload may have. Raises what `wanted_upload` does."""
    return wanted_upload(catalog, scope, metadata).most


def wanted_upload(catalog: Catalog, scope: Scope | None, metadata: Mapping[str, str]) -> Wanted:
    """What is wanted of an upload: the most that any field takes that it could be for.

    The metadata may name the `collection`, the `field` and the `record`. Without a scope
    it is what anybody might upload. Raises `UnknownCollection`, `SuperusersOnly`, `ViewIsReadOnly`,
    `NoFileField` and `NowhereToUpload`.
    """
    name = metadata.get("collection")
    if name is None:
        targets = [collection for collection in catalog if scope is None or _could_write(collection, scope)]
    else:
        targets = [catalog.collection(name)]
        _refuse(targets[0], scope or Scope(), metadata)
    fields = [field for collection in targets for field in _file_fields(collection, scope, metadata)]
    if not fields and scope is not None:
        raise NowhereToUpload
    most = max((field.max_size or DEFAULT_MAX_SIZE for field in fields), default=0)
    return Wanted(most, any(field.is_encrypted for field in fields))


def source_of(request: Request) -> str:
    """Whom the bytes are counted for: an account, or the network of a guest."""
    identity = request.identity
    return f"{identity.collection.id}/{identity.id}" if identity else network_of(request.client_ip)


def quota_of(request: Request, most: int) -> Quota | None:
    """How much the caller may have waiting, where the largest upload has `most` bytes; None for any amount."""
    if request.identity is not None and request.identity.is_superuser:
        return None
    return Quota(MOST, max(_LEAST_WAITING, most * _LARGEST_WAITING))


def _refuse(collection: Collection, scope: Scope, metadata: Mapping[str, str]) -> None:
    refuse_view(collection)
    if "record" in metadata:
        guard("update", collection, scope)
    elif not _could_write(collection, scope):
        guard("create", collection, scope)


def _could_write(collection: Collection, scope: Scope) -> bool:
    rules, identity = (collection.create_rule, collection.update_rule), scope.identity
    if identity is not None and identity.grant is not None and not identity.grant.writes(collection.id):
        return False
    return not collection.is_view and (scope.is_superuser or any(rule is not None for rule in rules))


def _file_fields(collection: Collection, scope: Scope | None, metadata: Mapping[str, str]) -> list[FileField]:
    sees_all = scope is None or scope.is_superuser
    visible = {field.name: field for field in collection.file_fields if sees_all or not field.hidden}
    name = metadata.get("field")
    if name is None or "collection" not in metadata:
        return list(visible.values())
    if name not in visible:
        raise NoFileField(collection, name, visible)
    return [visible[name]]
