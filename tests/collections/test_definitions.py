"""Definitions: merged, completed, shown."""

import msgspec
import pytest

from undercroft.collections.catalog import Catalog
from undercroft.collections.completion import complete
from undercroft.collections.definitions import dump_definition, merge_definition
from undercroft.collections.fields.registry import BadDefinition
from undercroft.collections.prepare import prepare_change, prepare_new
from undercroft.collections.scaffolds import scaffold
from undercroft.collections.stored import from_row, to_row
from undercroft.collections.system import initial_collections
from undercroft.errors import NotFound

EMPTY = Catalog()
GOOGLE = {"name": "google", "clientId": "id", "clientSecret": "s3cret"}


def text(name, **options):
    return {"name": name, "type": "text", **options}


def new(**body):
    return prepare_new({"name": "box", **body}, EMPTY)


def names(collection):
    return [field.name for field in collection.fields]


def test_a_name_is_enough():
    """A collection of nothing but a name has an id field and no rules."""
    box = new()

    assert names(box) == ["id"]
    assert box.list_rule is None
    assert box.id == "pbc_126833227"


def test_ids_come_from_type_and_name():
    """Fields without an id get the one that every server would give them."""
    assert new(fields=[text("title")]).fields[1].id == "text724990059"


def test_an_id_that_is_taken_gets_a_suffix():
    """Two fields never share an id, whatever their names were before."""
    box = new(fields=[text("b", id="text3904355907"), text("a")])

    assert [field.id for field in box.fields[1:]] == ["text3904355907", "text39043559072"]


def test_a_repeated_field_takes_the_place_of_the_first():
    """Of two fields with one name and no ids the later one stays, where the first stood, with its id."""
    box = new(fields=[text("a"), text("b"), {"name": "a", "type": "number"}])

    assert [(field.name, field.type) for field in box.fields[1:]] == [("a", "number"), ("b", "text")]
    assert box.fields[1].id == "text3904355907"


def test_auth_fields_come_back():
    """System fields of accounts that were left out are added at the end; the id comes first."""
    box = new(type="auth", fields=[text("nick"), {"name": "email", "type": "email", "required": False}])

    assert names(box) == ["id", "nick", "email", "password", "tokenKey", "emailVisibility", "verified"]
    assert not box.field("email").is_required
    assert box.field("email").system


def test_auth_indexes_come_back():
    """The unique indexes of token keys and addresses cannot be left out."""
    box = new(type="auth", indexes=["CREATE INDEX i ON other (email)"])

    assert box.indexes == (
        "CREATE INDEX `i` ON `box` (`email`)",
        "CREATE UNIQUE INDEX `idx_tokenKey_pbc_3999927446` ON `box` (`tokenKey`)",
        "CREATE UNIQUE INDEX `idx_email_pbc_3999927446` ON `box` (`email`) WHERE `email` != ''",
    )
    assert box.uniquely_indexed == {"tokenKey", "email"}


def test_objects_merge_and_lists_are_replaced():
    """A change says only what changes in an object, but all of a list."""
    box = new(type="auth", fields=[text("a")], otp={"enabled": True})
    changed = merge_definition(box, {"otp": {"length": 6}, "fields": [text("b")]})

    assert (changed.auth.otp.enabled, changed.auth.otp.length) == (True, 6)
    assert names(changed) == ["b"]


def test_null_empties_an_object():
    """A null is not the same as leaving a key out."""
    changed = merge_definition(new(type="auth"), {"authToken": None, "authRule": None})

    assert (changed.auth.auth_token.duration, changed.auth.auth_token.secret) == (0, "")
    assert changed.auth.auth_rule is None


def test_a_provider_keeps_its_secret():
    """Providers are matched by name, so a secret need not be sent again."""
    box = new(type="auth", oauth2={"providers": [GOOGLE]})
    changed = merge_definition(box, {"oauth2": {"providers": [{"name": "google", "displayName": "G"}]}})

    provider = changed.auth.oauth2.providers[0]
    assert (provider.client_secret, provider.display_name) == ("s3cret", "G")


def test_secrets_are_never_shown():
    """Neither secrets of tokens nor of providers leave the server."""
    box = new(type="auth", oauth2={"providers": [GOOGLE]}, authToken={"secret": "t0ken" * 10})
    shown = msgspec.json.encode(dump_definition(box)).decode()

    assert "s3cret" not in shown
    assert "t0ken" not in shown
    assert '"secret"' not in shown


def test_keys_come_in_the_order_of_the_wire():
    """Common keys first, then those of the type."""
    assert list(dump_definition(new(type="view"))) == [
        *("id", "listRule", "viewRule", "createRule", "updateRule", "deleteRule", "name", "type", "fields"),
        *("indexes", "created", "updated", "system", "viewQuery"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"name": 5},
        {"type": 5},
        {"listRule": 5},
        {"fields": "x"},
        {"fields": [5]},
        {"fields": [{"name": "x"}]},
        {"indexes": [5]},
        {"type": "auth", "authToken": 5},
        {"type": "auth", "oauth2": {"providers": [5]}},
    ],
)
def test_a_wrong_shape_is_refused_as_a_whole(body):
    """A value of the wrong JSON type is no definition."""
    with pytest.raises(BadDefinition):
        new(**body)


def test_mapped_fields_that_do_not_exist_are_blanked():
    """What a provider knows can only go to fields there are."""
    box = new(type="auth", oauth2={"mappedFields": {"name": "nope", "id": "id"}})

    assert box.auth.oauth2.mapped_fields.name == ""
    assert box.auth.oauth2.mapped_fields.id == "id"


def test_a_new_auth_rule_ends_all_tokens():
    """The part of the key that the collection keeps changes with its auth rule."""
    box = new(type="auth")

    assert prepare_change(box, {"authRule": "verified = true"}).auth.auth_token.secret != box.auth.auth_token.secret
    assert prepare_change(box, {"listRule": ""}).auth.auth_token.secret == box.auth.auth_token.secret


def test_an_id_never_changes():
    """There is no collection of that other id to change."""
    with pytest.raises(NotFound):
        prepare_change(new(), {"id": "other"})


@pytest.mark.parametrize("letters", ["otp", "magicLink"])
def test_superusers_always_have_passwords(letters):
    """They log in with a password, never through others, and twice when they use letters."""
    superusers = next(made for made in initial_collections() if made.is_superusers)
    options = {"oauth2": {"enabled": True}, "passwordAuth": {"enabled": False}, letters: {"enabled": True}}
    changed = complete(merge_definition(superusers, options), lambda _: False).auth

    assert (changed.oauth2.enabled, changed.password_auth.enabled, changed.mfa.enabled) == (False, True, True)


def test_the_first_collections_have_the_ids_that_sdks_know():
    """Superusers are recognised by the id of their collection."""
    made = {collection.name: collection.id for collection in initial_collections()}

    assert made["_superusers"] == "pbc_3142635823"
    assert made["users"] == "_pb_users_auth_"
    assert len(made) == 6


@pytest.mark.parametrize("made", initial_collections(), ids=lambda made: made.name)
async def test_what_is_stored_is_what_was_saved(made, engine):
    """A definition survives its row, secrets included."""
    assert from_row(tuple(to_row(made, engine.texts)), engine.texts) == made


@pytest.mark.parametrize("kind", ["base", "auth", "view"])
def test_a_scaffold_is_blank(kind):
    """It has no name, no id, and the defaults of its type."""
    shown = dump_definition(scaffold(kind))

    assert (shown["id"], shown["name"], shown["created"], shown["indexes"]) == ("", "", "", [])
