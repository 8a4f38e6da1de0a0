"""The collection endpoints, from outside."""

import pytest

pytestmark = pytest.mark.anyio

C = "/api/collections"
BOX = {"name": "box", "fields": [{"name": "a", "type": "text"}], "listRule": "", "createRule": ""}


@pytest.fixture
async def root(client):
    """A superuser's token."""
    return await client.superuser()


@pytest.fixture
async def box(client, root):
    """A collection with one text field."""
    answer = await client.post(C, BOX, as_=root)
    assert answer.status == 200, answer.text
    return answer.json


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", C),
        ("POST", C),
        ("GET", f"{C}/users"),
        ("PATCH", f"{C}/users"),
        ("DELETE", f"{C}/users"),
        ("DELETE", f"{C}/users/truncate"),
        ("PUT", f"{C}/import"),
        ("GET", f"{C}/meta/scaffolds"),
        ("GET", f"{C}/meta/oauth2-providers"),
        ("POST", f"{C}/meta/dry-run-view"),
    ],
)
async def test_only_superusers_see_collections(client, method, path):
    """A guest is asked who they are, whatever they want."""
    assert (await client.request(method, path)).status == 401


async def test_a_collection_serves_records_at_once(client, root, box):
    """Nothing has to be started again."""
    made = await client.post(f"{C}/box/records", {"a": "x"})
    assert made.status == 200

    await client.patch(f"{C}/box", {"fields": [box["fields"][1] | {"name": "b"}]}, as_=root)
    seen = await client.get(f"{C}/box/records", fields="b")
    assert seen.json["items"] == [{"b": "x"}]


async def test_collections_are_listed_as_they_were_made(client, root, box):
    """Without a sort the oldest comes first."""
    answer = await client.get(C, as_=root, fields="name", perPage=4)

    assert [item["name"] for item in answer.json["items"]] == ["_mfas", "_otps", "_externalAuths", "_authOrigins"]
    assert (answer.json["totalItems"], answer.json["totalPages"]) == (7, 2)


async def test_collections_can_be_searched(client, root, box):
    """By id, moments, name, system and type, and by nothing else."""
    found = await client.get(C, as_=root, filter="system = false && name ~ 'o'", sort="-name", fields="name")
    assert found.json["items"] == [{"name": "box"}]

    assert (await client.get(C, as_=root, filter="listRule = ''")).status == 400
    assert (await client.get(C, as_=root, sort="options")).status == 400


async def test_a_refusal_says_where(client, root):
    """Errors are nested as the definition is."""
    answer = await client.post(C, BOX | {"fields": [{"name": "a b", "type": "text"}]}, as_=root)

    assert answer.status == 400
    assert answer.error.message == "Failed to create collection."
    assert answer.error.data["fields"]["1"]["name"]["code"] == "validation_match_invalid"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name": 5}', b'{"name": "x", "fields": [{"type": "nope"}]}'])
async def test_a_definition_of_the_wrong_shape(client, root, body):
    """What cannot be read is refused without details."""
    answer = await client.post(C, body=body, headers={"content-type": "application/json"}, as_=root)

    assert answer.status == 400
    assert answer.error.message == "Failed to load the submitted data due to invalid formatting."
    assert answer.error.data == {}


async def test_an_unknown_collection(client, root):
    """There is nothing to see, change, empty or delete."""
    for method, path in [("GET", "nope"), ("PATCH", "nope"), ("DELETE", "nope"), ("DELETE", "nope/truncate")]:
        assert (await client.request(method, f"{C}/{path}", as_=root)).status == 404


async def test_a_new_auth_rule_ends_tokens(client, root):
    """Whoever was let in under the old rule has to come again."""
    account = {"email": "a@example.com", "password": "12345678", "passwordConfirm": "12345678"}
    await client.post(f"{C}/users/records", account)
    token = await client.login("users", "a@example.com", "12345678")
    await client.patch(f"{C}/users", {"authRule": "email != ''"}, as_=root)

    assert (await client.post(f"{C}/users/auth-refresh", as_=token)).status == 401


async def test_truncate_empties_a_collection(client, root, box):
    """The collection stays, its records go."""
    for _ in range(3):
        await client.post(f"{C}/box/records", {"a": "x"})
    assert (await client.delete(f"{C}/box/truncate", as_=root)).status == 204

    assert (await client.get(f"{C}/box/records")).json["totalItems"] == 0


async def test_truncate_stops_at_a_required_relation(client, root, box):
    """One record that must stay keeps all of them."""
    link = {"name": "r", "type": "relation", "collectionId": box["id"], "required": True}
    await client.post(C, {"name": "link", "fields": [link]}, as_=root)
    first = (await client.post(f"{C}/box/records", {"a": "x"})).json
    await client.post(f"{C}/box/records", {"a": "y"})
    await client.post(f"{C}/link/records", {"r": first["id"]}, as_=root)

    assert (await client.delete(f"{C}/box/truncate", as_=root)).status == 400
    assert (await client.get(f"{C}/box/records")).json["totalItems"] == 2


async def test_truncate_keeps_a_superuser(client, root):
    """Nobody locks everybody out, and a view has nothing to empty."""
    await client.post(C, {"name": "look", "type": "view", "viewQuery": "SELECT id FROM users"}, as_=root)

    assert (await client.delete(f"{C}/_superusers/truncate", as_=root)).status == 400
    assert (await client.delete(f"{C}/look/truncate", as_=root)).status == 400


async def test_an_import(client, root):
    """Saved together, or refused with the reason."""
    assert (await client.put(f"{C}/import", {"collections": [BOX]}, as_=root)).status == 204
    assert (await client.get(f"{C}/box", as_=root)).status == 200

    empty = await client.put(f"{C}/import", {"collections": []}, as_=root)
    assert empty.error.data["collections"]["code"] == "validation_required"
    assert (await client.put(f"{C}/import", {"collections": [5]}, as_=root)).status == 400


async def test_a_view_can_be_tried(client, root, box):
    """Its fields and first records are shown, and nothing is saved."""
    await client.post(f"{C}/box/records", {"a": "x"})
    answer = await client.post(f"{C}/meta/dry-run-view", {"query": "SELECT 7 AS id, a FROM box;"}, as_=root)

    assert [field["name"] for field in answer.json["fields"]] == ["id", "a"]
    assert [(item["id"], item["a"]) for item in answer.json["sample"]] == [("7", "x")]
    assert (await client.get(C, as_=root)).json["totalItems"] == 7


@pytest.mark.parametrize(
    "query", ["", "nope", "SELECT 1", "SELECT id FROM nope", "SELECT id FROM users; SELECT 1", "x" * 5001]
)
async def test_a_bad_view_can_be_tried_too(client, root, query):
    """The answer is 400 with a reason."""
    answer = await client.post(f"{C}/meta/dry-run-view", {"query": query}, as_=root)

    assert answer.status == 400
    assert answer.error.message


async def test_scaffolds_and_providers(client, root):
    """What a console needs to offer."""
    scaffolds = (await client.get(f"{C}/meta/scaffolds", as_=root)).json
    providers = (await client.get(f"{C}/meta/oauth2-providers", as_=root)).json

    assert sorted(scaffolds) == ["auth", "base", "view"]
    assert [field["name"] for field in scaffolds["base"]["fields"]] == ["id"]
    assert len(providers) == 32
    assert all(provider["logo"].startswith("<svg") for provider in providers)


async def test_a_scaffold_can_be_sent_back(client, root):
    """Filled with a name, it is a collection."""
    for kind, scaffold in (await client.get(f"{C}/meta/scaffolds", as_=root)).json.items():
        body = scaffold | {"name": f"from_{kind}", "viewQuery": "SELECT id FROM users"}
        assert (await client.post(C, body, as_=root)).status == 200


async def test_lists_sort_by_values(client, root):
    """A list of collections may be sorted by what is the same for all, beside a filter."""
    answer = await client.get(C, as_=root, sort="@now,name", filter="name = 'users'")

    assert [item["name"] for item in answer.json["items"]] == ["users"]
