"""Which definitions may be saved, and what is said of those that may not."""

import pytest

from undercroft.collections.catalog import Catalog
from undercroft.collections.change import Change
from undercroft.collections.prepare import prepare_change, prepare_new
from undercroft.collections.system import initial_collections
from undercroft.collections.validate import check_change
from undercroft.database.sqlite_dialect import SqliteDialect
from undercroft.errors import FieldError, Invalid
from undercroft.records.rules import check_rule

FIRST = Catalog(initial_collections())
USERS = "_pb_users_auth_"


def text(name, **options):
    return {"name": name, "type": "text", **options}


def check(rule_of, rule, catalog):
    return check_rule(rule_of, rule, catalog, SqliteDialect())


def codes(errors):
    return {key: error.code if isinstance(error, FieldError) else codes(error) for key, error in errors.items()}


def refusal(old, new, **more):
    change = Change(new, old, FIRST.put(new), check, frozenset({"_params"}), **more)
    return codes(check_change(change))


def of_new(**body):
    return refusal(None, prepare_new({"name": "box", **body}, FIRST))


def of_change(before, **body):
    old = FIRST.find(before) if isinstance(before, str) else prepare_new({"name": "box", **before}, FIRST)
    return refusal(old, prepare_change(old, body))


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {}),
        ({"name": "_leading"}, {}),
        ({"name": ""}, {"name": "validation_required"}),
        ({"name": "a b"}, {"name": "validation_match_invalid"}),
        ({"name": "Ünï"}, {"name": "validation_match_invalid"}),
        ({"name": "a" * 256}, {"name": "validation_length_out_of_range"}),
        ({"name": "a_VIA_b"}, {"name": "validation_found_via"}),
        ({"name": "USERS"}, {"name": "validation_collection_name_exists"}),
        ({"name": USERS}, {"name": "validation_collection_name_id_duplicate"}),
        ({"id": "Users"}, {"id": "validation_collection_name_id_duplicate"}),
        ({"id": "BOX"}, {}),
        ({"name": "_PARAMS"}, {"name": "validation_collection_name_invalid"}),
        ({"id": "a b"}, {"id": "validation_match_invalid"}),
        ({"id": "a" * 101}, {"id": "validation_length_out_of_range"}),
        (
            {"listRule": "nope = 1", "viewRule": "a ="},
            {"listRule": "validation_invalid_rule", "viewRule": "validation_invalid_rule"},
        ),
        ({"listRule": "@collection.users.id ?= id"}, {}),
        ({"type": "view"}, {"fields": "validation_required", "viewQuery": "validation_required"}),
        (
            {"type": "view", "createRule": "", "indexes": ["CREATE INDEX i ON box (id)"]},
            {
                "fields": "validation_required",
                "viewQuery": "validation_required",
                "createRule": "validation_nil",
                "indexes": "validation_indexes_not_supported",
            },
        ),
    ],
)
def test_names_and_rules(body, errors):
    """What a collection may be called, and which rules it may have."""
    assert of_new(**body) == errors


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ([text("a"), text("rowid"), text("TRUE")], {}),
        ([text("")], {"1": {"name": "validation_required"}}),
        ([text("a b")], {"1": {"name": "validation_match_invalid"}}),
        ([text("null")], {"1": {"name": "validation_not_in_invalid"}}),
        ([text("a_via_b")], {"1": {"name": "validation_found_via"}}),
        ([text("a" * 101)], {"1": {"name": "validation_length_out_of_range"}}),
        ([text("a", id="x" * 101)], {"1": {"id": "validation_length_out_of_range"}}),
        ([text("a", help="x" * 301)], {"1": {"help": "validation_length_out_of_range"}}),
        ([text("a"), text("A")], {"2": {"name": "validation_duplicated_field_name"}}),
        ([{"name": "id", "type": "number"}], {"1": {"name": "validation_duplicated_field_name"}}),
        (
            [text("a", min=5, max=3), text("b", pattern="(")],
            {
                "1": {"max": "validation_min_greater_equal_than_required"},
                "2": {"pattern": "validation_invalid_regex"},
            },
        ),
        (
            [text("b", primaryKey=True)],
            {
                "0": {"primaryKey": "validation_unsupported_composite_pk"},
                "1": {
                    "name": "validation_in_invalid",
                    "pattern": "validation_required",
                    "required": "validation_required",
                    "primaryKey": "validation_unsupported_composite_pk",
                },
            },
        ),
        ([{"name": "r", "type": "relation"}], {"1": {"collectionId": "validation_required"}}),
        (
            [{"name": "r", "type": "relation", "collectionId": "users"}],
            {"1": {"collectionId": "validation_field_relation_missing_collection"}},
        ),
        ([{"name": "r", "type": "relation", "collectionId": USERS}], {}),
    ],
)
def test_fields(fields, errors):
    """Each wrong field is found by its place."""
    assert of_new(fields=fields) == ({"fields": errors} if errors else {})


@pytest.mark.parametrize(
    ("indexes", "errors"),
    [
        (["nope"], {"0": "validation_invalid_index_expression"}),
        (
            ["CREATE INDEX i ON box (a)", "CREATE INDEX I ON box (b)"],
            {"1": "validation_duplicated_index_name"},
        ),
        (
            ["CREATE INDEX i ON box (a)", "CREATE INDEX j ON box (`A`)"],
            {"1": "validation_duplicated_index_definition"},
        ),
        (["CREATE INDEX i ON box (a)", "CREATE UNIQUE INDEX j ON box (a)"], {}),
        ([f"CREATE INDEX idx_email_{USERS} ON box (a)"], {"0": "validation_existing_index_name"}),
    ],
)
def test_indexes(indexes, errors):
    """Names are unique in the database, definitions in the collection."""
    assert of_new(indexes=indexes) == ({"indexes": errors} if errors else {})


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {}),
        ({"fields": [text("oldPassword")]}, {"fields": {"1": {"name": "validation_reserved_field_name"}}}),
        ({"manageRule": ""}, {"manageRule": "validation_nil_or_not_empty_required"}),
        ({"authRule": "nope = 1"}, {"authRule": "validation_invalid_rule"}),
        ({"authToken": {"duration": 5}}, {"authToken": {"duration": "validation_min_greater_equal_than_required"}}),
        ({"authToken": {"secret": "short"}}, {"authToken": {"secret": "validation_length_out_of_range"}}),
        ({"otp": {"enabled": True, "length": 3}}, {"otp": {"length": "validation_min_greater_equal_than_required"}}),
        ({"otp": {"length": 3}}, {}),
        ({"mfa": {"enabled": True}}, {"mfa": {"enabled": "validation_mfa_not_enough_auths"}}),
        ({"mfa": {"enabled": True}, "otp": {"enabled": True}}, {}),
        ({"mfa": {"duration": 0}}, {}),
        ({"mfa": {"duration": 0}, "totp": {"enabled": True}}, {"mfa": {"duration": "validation_required"}}),
        (
            {"mfa": {"duration": -1}, "totp": {"enabled": True}},
            {"mfa": {"duration": "validation_min_greater_equal_than_required"}},
        ),
        (
            {"passwordAuth": {"identityFields": ["nope"]}},
            {"passwordAuth": {"identityFields": "validation_missing_field"}},
        ),
        (
            {"fields": [text("nick")], "passwordAuth": {"identityFields": ["nick"]}},
            {"passwordAuth": {"identityFields": "validation_missing_unique_constraint"}},
        ),
        ({"passwordAuth": {"enabled": False, "identityFields": ["nope"]}}, {}),
        (
            {"oauth2": {"enabled": True, "providers": [{"name": "google"}, {"name": "nope", "authURL": "x"}]}},
            {
                "oauth2": {
                    "providers": {
                        "0": {"clientId": "validation_required", "clientSecret": "validation_required"},
                        "1": {
                            "name": "validation_missing_provider",
                            "clientId": "validation_required",
                            "clientSecret": "validation_required",
                            "authURL": "validation_is_url",
                        },
                    }
                }
            },
        ),
        (
            {"verificationTemplate": {"subject": "", "body": ""}},
            {"verificationTemplate": {"subject": "validation_required", "body": "validation_required"}},
        ),
    ],
)
def test_auth_options(body, errors):
    """Options of accounts, errors nested as they are."""
    assert of_new(type="auth", **body) == errors


def test_a_provider_is_named_once():
    """The second of the same name is the wrong one."""
    google = {"name": "google", "clientId": "a", "clientSecret": "b"}
    errors = of_new(type="auth", oauth2={"enabled": True, "providers": [google, google]})

    assert errors == {"oauth2": {"providers": {"1": {"name": "validation_duplicated_provider"}}}}


@pytest.mark.parametrize(
    ("before", "change", "errors"),
    [
        ({}, {"name": "BOX"}, {}),
        ({}, {"type": "auth"}, {"type": "validation_collection_type_change"}),
        ({}, {"type": "nope"}, {"type": "validation_in_invalid"}),
        ({}, {"system": True}, {"system": "validation_collection_system_flag_change"}),
        (
            {"fields": [text("a", id="f")]},
            {"fields": [{"name": "a", "type": "number", "id": "f"}]},
            {"fields": {"1": "validation_field_type_change"}},
        ),
        ({"fields": [text("s", system=True)]}, {"fields": []}, {"fields": "validation_system_field_change"}),
        (
            {"fields": [{"name": "r", "type": "relation", "collectionId": USERS}]},
            {"fields": [{"name": "r", "type": "relation", "collectionId": "pbc_3142635823"}]},
            {"fields": {"1": {"collectionId": "validation_field_relation_change"}}},
        ),
        (
            {},
            {"fields": [text("new", id="text3208210256", primaryKey=True, system=True)]},
            {"fields": "validation_missing_primary_key"},
        ),
        ("_superusers", {"name": "admins"}, {"name": "validation_collection_system_name_change"}),
        ("_superusers", {"listRule": ""}, {"listRule": "validation_collection_system_rule_change"}),
        ("_superusers", {"authRule": None}, {"authRule": "validation_collection_system_rule_change"}),
    ],
)
def test_changes(before, change, errors):
    """What a collection may become."""
    assert of_change(before, **change) == errors


def test_relations_to_views_are_for_views():
    """A table cannot point at what has no records of its own."""
    view = prepare_new({"name": "look", "type": "view", "viewQuery": "SELECT id FROM users"}, FIRST)
    box = prepare_new({"name": "box", "fields": [{"name": "r", "type": "relation", "collectionId": view.id}]}, FIRST)
    errors = check_change(Change(box, None, FIRST.put(view, box), check))

    assert codes(errors) == {"fields": {"1": {"collectionId": "validation_relation_field_non_view_base_collection"}}}


@pytest.mark.parametrize(
    ("body", "errors"),
    [({"id": USERS}, {"id": "validation_invalid_or_existing_id"}), ({"type": "x"}, {"type": "validation_in_invalid"})],
)
def test_what_nothing_can_be_made_of(body, errors):
    """Taken ids and unknown types end it before anything else is asked."""
    with pytest.raises(Invalid) as refused:
        of_new(**body)

    assert codes(refused.value.data) == errors
