"""Names that databases make something of: long ones, words of SQL, letters of other scripts."""

import pytest

pytestmark = pytest.mark.anyio

LONG = "n" * 90
NAMES = [LONG, LONG + "a", "select", "Order", "count", "xmin", "ctid", "tableoid", "user", "_x"]


async def test_names_are_names(blog):
    """Fields may be called anything the rules of names allow, whatever it means to a database."""
    await blog.collection(
        LONG,
        *({"name": name, "type": "text"} for name in NAMES),
        indexes=[f"CREATE UNIQUE INDEX `{LONG}_index` ON `{LONG}` (`{LONG}`)"],
    )
    record = await blog.add(LONG, **{name: name for name in NAMES})

    assert {name: record[name] for name in NAMES} == {name: name for name in NAMES}
    assert (await blog.view(LONG, record["id"])).json == record
    for name in NAMES:
        found = await blog.list(LONG, filter=f"{name} = '{name}' && {name} ~ '{name[:3]}'", sort=f"-{name}")
        assert found.json["totalItems"] == 1, name
    taken = await blog.create(LONG, {LONG: LONG})
    assert taken.error.data[LONG]["code"] == "validation_not_unique"
