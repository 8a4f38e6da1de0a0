"""The collections that every data directory begins with."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from undercroft.collections.collection import SUPERUSERS, Collection
from undercroft.collections.completion import complete, join_fields
from undercroft.collections.fields.autodate import AutodateField
from undercroft.collections.fields.base import Field
from undercroft.collections.fields.file import FileField
from undercroft.collections.fields.password import PasswordField
from undercroft.collections.fields.text import TextField
from undercroft.collections.options import AuthOptions, MappedFields
from undercroft.collections.scaffolds import auth_options, fresh_token, scaffold

USERS_ID: Final = "_pb_users_auth_"  # what SDK examples and existing exports call it
OF_ACCOUNTS: Final = ("_mfas", "_otps", "_externalAuths", "_authOrigins")
_OWN: Final = "@request.auth.id != '' && recordRef = @request.auth.id && collectionRef = @request.auth.collectionId"
_SELF: Final = "id = @request.auth.id"
_SUPERUSER_TOKEN_SECONDS: Final = 86_400
_IMAGES: Final = ("image/jpeg", "image/png", "image/svg+xml", "image/gif", "image/webp")


def initial_collections() -> list[Collection]:
    """The system collections and `users`, in the order they are made."""
    return [_mfas(), _otps(), _external_auths(), _auth_origins(), _superusers(), _users()]


def _mfas() -> Collection:
    index = "CREATE INDEX `idx_mfas_collectionRef_recordRef` ON `_mfas` (collectionRef,recordRef)"
    return _of_accounts("_mfas", [_text("method")], [index])


def _otps() -> Collection:
    password = PasswordField(name="password", system=True, hidden=True, required=True, cost=8)
    sent_to = TextField(name="sentTo", system=True, hidden=True)
    index = "CREATE INDEX `idx_otps_collectionRef_recordRef` ON `_otps` (collectionRef, recordRef)"
    return _of_accounts("_otps", [password, sent_to], [index])


def _external_auths() -> Collection:
    start = "CREATE UNIQUE INDEX `idx_externalAuths"
    indexes = [
        f"{start}_record_provider` ON `_externalAuths` (collectionRef, recordRef, provider)",
        f"{start}_collection_provider` ON `_externalAuths` (collectionRef, provider, providerId)",
    ]
    return _of_accounts("_externalAuths", [_text("provider"), _text("providerId")], indexes, delete_rule=_OWN)


def _auth_origins() -> Collection:
    columns = "(collectionRef, recordRef, fingerprint)"
    index = f"CREATE UNIQUE INDEX `idx_authOrigins_unique_pairs` ON `_authOrigins` {columns}"
    return _of_accounts("_authOrigins", [_text("fingerprint")], [index], delete_rule=_OWN)


def _superusers() -> Collection:
    auth = replace(auth_options(), auth_token=fresh_token(_SUPERUSER_TOKEN_SECONDS))
    return _auth(SUPERUSERS, _dates(system=True), auth, system=True)


def _users() -> Collection:
    own = [TextField(name="name", max=255), FileField(name="avatar", max_select=1, mime_types=_IMAGES)]
    auth = auth_options()
    mapped = MappedFields(name="name", avatar_url="avatar")
    auth = replace(auth, oauth2=replace(auth.oauth2, mapped_fields=mapped))
    users = _auth("users", [*own, *_dates(system=False)], auth, system=False, collection_id=USERS_ID)
    rules = {f"{action}_rule": _SELF for action in ("list", "view", "update", "delete")}
    return replace(users, create_rule="", **rules)


def _of_accounts(name: str, fields: list[Field], indexes: list[str], delete_rule: str | None = None) -> Collection:
    """A collection of what the server keeps about accounts, which each account may see of its own."""
    blank = scaffold("base")
    refs = [_text("collectionRef"), _text("recordRef")]
    joined = join_fields([*blank.fields, *refs, *fields, *_dates(system=True)])
    made = replace(blank, name=name, system=True, fields=joined, indexes=tuple(indexes))
    return _complete(replace(made, list_rule=_OWN, view_rule=_OWN, delete_rule=delete_rule))


def _auth(name: str, fields: list[Field], auth: AuthOptions, *, system: bool, collection_id: str = "") -> Collection:
    blank = scaffold("auth")
    joined = join_fields([*blank.fields, *fields])
    return _complete(replace(blank, id=collection_id, name=name, system=system, fields=joined, auth=auth))


def _complete(collection: Collection) -> Collection:
    return complete(collection, lambda _: False)


def _text(name: str) -> TextField:
    return TextField(name=name, system=True, required=True)


def _dates(*, system: bool) -> list[Field]:
    return [
        AutodateField(name="created", system=system, on_create=True),
        AutodateField(name="updated", system=system, on_create=True, on_update=True),
    ]
