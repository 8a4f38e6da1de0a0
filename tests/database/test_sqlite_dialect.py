"""What SQLite's spelling means, asked of SQLite itself."""

import json
import math

import apsw
import pytest
from sqlalchemy import bindparam, column, insert, literal_column, null, select, table, true, update

from undercroft.database.sqlite_dialect import SqliteDialect

POSTS = table("posts", column("id"), column("title"), column("count"), column("tags"), column("meta"), column("loc"))


@pytest.fixture
def dialect():
    return SqliteDialect()


@pytest.fixture
def connection(dialect):
    kinds = {"id": "id", "title": "text", "count": "number", "tags": "list", "meta": "json", "loc": "geo"}
    columns = ", ".join(f"{dialect.quote(name)} {dialect.column_type(kind)}" for name, kind in kinds.items())
    opened = apsw.Connection(":memory:")
    opened.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    opened.execute(f"CREATE TABLE posts ({columns})")
    yield opened
    opened.close()


@pytest.fixture
def ask(dialect, connection):
    def run(expression, **values):
        sql, names = dialect.render(select(expression))
        return connection.execute(sql, [values[name] for name in names]).get

    return run


@pytest.fixture
def add(dialect, connection):
    def run(**values):
        sql, names = dialect.render(insert(POSTS).values({name: bindparam(name) for name in values}))
        connection.execute(sql, [values[name] for name in names])

    return run


def ids(dialect, connection, where, **values):
    sql, names = dialect.render(select(POSTS.c.id).where(where).order_by(POSTS.c.id))
    return [row[0] for row in connection.execute(sql, [values[name] for name in names])]


def test_identifiers_are_always_quoted(dialect):
    """No list of reserved words decides what a name means."""
    assert dialect.render(select(column("order")))[0].split() == ["SELECT", '"order"']


def test_quote_doubles_quotes(dialect):
    """A double quote in an identifier cannot end it."""
    assert dialect.quote('a"b') == '"a""b"'


def test_render_names_values_in_the_order_of_placeholders(dialect):
    """Each placeholder has the name of its value, also when a value is used twice."""
    statement = (
        update(POSTS)
        .values(title=bindparam("v1"))
        .where(POSTS.c.id == bindparam("v2"), POSTS.c.title != bindparam("v1"))
    )

    sql, names = dialect.render(statement)

    assert sql.count("?") == 3
    assert names == ("v1", "v2", "v1")


def test_limit_and_offset_are_bound(dialect):
    """Paging is part of the shape, its numbers are not."""
    sql, names = dialect.render(select(POSTS.c.id).limit(bindparam("limit")).offset(bindparam("offset")))

    assert sql.endswith("LIMIT ? OFFSET ?")
    assert names == ("limit", "offset")


@pytest.mark.parametrize(
    "statement",
    [
        select(POSTS).limit(3),
        select(POSTS).where(POSTS.c.title == "x"),
        select(POSTS).where(POSTS.c.title.in_(["x", "y"])),
        select(POSTS).where(POSTS.c.title == bindparam("x", value="y")),
    ],
)
def test_values_inside_a_statement_are_refused(dialect, statement):
    """Text is reused with other values, so a value inside it would be somebody else's."""
    with pytest.raises(TypeError, match="literal_column"):
        dialect.render(statement)


def test_text_without_binds_renders(dialect):
    """Literal columns stand as they are."""
    assert dialect.render(select(literal_column("'50%:x'"))) == ("SELECT '50%:x'", ())


def test_column_defaults_are_zero_values(connection):
    """A row that is given nothing gets an id and the zero value of every column."""
    connection.execute("INSERT INTO posts DEFAULT VALUES")

    row = connection.execute("SELECT * FROM posts").get

    assert row[0].startswith("r")
    assert len(row[0]) == 15
    assert row[1:] == ("", 0, "[]", None, '{"lon":0,"lat":0}')


def test_elements_are_joined_rows(dialect, connection, add):
    """A joined array gives one row an element; an empty one gives NULL once."""
    add(id="a", tags='["x","y"]')
    add(id="b", tags="[]")
    rows, value = dialect.elements(POSTS.c.tags, "__tags")

    sql, _ = dialect.render(select(POSTS.c.id, value).select_from(POSTS.outerjoin(rows, true())))

    assert sorted(connection.execute(sql), key=str) == [("a", "x"), ("a", "y"), ("b", None)]


@pytest.mark.parametrize(("stored", "elements"), [("abc", ["abc"]), ("{x", ["{x"]), ('{"a":1}', ['{"a":1}'])])
def test_a_single_value_is_its_own_only_element(dialect, connection, add, stored, elements):
    """What is no JSON array is never an error."""
    add(id="a", title=stored)
    rows, value = dialect.elements(POSTS.c.title, "e")

    sql, _ = dialect.render(select(value).select_from(POSTS.join(rows, true())))

    assert [row[0] for row in connection.execute(sql)] == elements


def test_contains_looks_at_whole_elements(dialect, connection, add):
    """An element is found; a part of one is not."""
    add(id="a", tags='["xy","z"]')
    add(id="b", tags='["x"]')

    assert ids(dialect, connection, dialect.contains(POSTS.c.tags, bindparam("e")), e="x") == ["b"]


def test_contains_takes_a_column_of_another_table(dialect, connection, add):
    """The element may come from the statement around."""
    add(id="a", tags='["b"]')
    add(id="b")
    other = POSTS.alias("other")

    where = select(literal_column("1")).select_from(other).where(dialect.contains(other.c.tags, POSTS.c.id)).exists()

    assert ids(dialect, connection, where) == ["b"]


def test_any_of_is_one_bound_array(dialect, connection, add):
    """However many texts are looked for, the statement is the same."""
    for name in "abc":
        add(id=name)

    assert ids(
        dialect, connection, dialect.any_of(POSTS.c.id, bindparam("wanted")), wanted=json.dumps(["a", "c", "d"])
    ) == [
        "a",
        "c",
    ]


def test_any_of_uses_the_index(dialect, connection):
    """Looking up ids is a search, not a scan."""
    sql, _ = dialect.render(select(POSTS.c.id).where(dialect.any_of(POSTS.c.id, bindparam("wanted"))))

    plan = " ".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, ["[]"]))

    assert "SEARCH posts" in plan


@pytest.mark.parametrize(
    ("stored", "length"), [('["a","b"]', 2), ("[]", 0), ("abc", 0), ("", 0), ('{"a":1}', 0), (None, 0)]
)
def test_length_counts_elements(dialect, ask, stored, length):
    """What holds no array has no elements."""
    assert ask(dialect.length(bindparam("v")), v=stored) == length


@pytest.mark.parametrize(
    ("stored", "path", "found"),
    [
        ('{"k":{"x":5}}', ["k", "x"], 5),
        ('{"k":[{"x":"y"}]}', ["k", "0", "x"], "y"),
        ('{"k":{"x":[1, 2]}}', ["k"], '{"x":[1,2]}'),
        ('{"k":true}', ["k"], 1),
        ('{"k":false}', ["k"], 0),
        ('{"k":null}', ["k"], None),
        ('{"k":1}', ["nope"], None),
        ('{"k":1}', ["k", "x"], None),
        ('{"1a":1.5}', ["1a"], 1.5),
        ('{"名":1}', ["名"], 1),
        ("5", [], 5),
        ('"abc"', [], "abc"),
        ("[1]", [], "[1]"),
        ("not json", ["k"], None),
        ("not json", [], "not json"),
        ('{"k":1', ["k"], None),
        (None, ["k"], None),
        (b"\x00\xff", ["k"], None),
    ],
)
def test_json_path(dialect, ask, stored, path, found):
    """A path gives scalars as scalars, the rest as JSON text, and NULL for what is not there."""
    assert ask(dialect.json_path(bindparam("v"), path), v=stored) == found


@pytest.mark.parametrize("part", ["", "a'b", 'a"b', "a.b", "a b", "$", "#-1", "a\0b", "a\n"])
def test_json_path_takes_identifiers_only(dialect, part):
    """A path part cannot leave its place in the statement."""
    with pytest.raises(ValueError, match="path part"):
        dialect.json_path(POSTS.c.meta, ["a", part])


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [
        ("Hello", "%EL%", 1),
        ("100%", "100\\%", 1),
        ("1000", "100\\%", 0),
        ("a_b", "a\\_b", 1),
        ("axb", "a\\_b", 0),
        ("É", "é", 0),
    ],
)
def test_like(dialect, ask, text, pattern, matches):
    """LIKE ignores ASCII case, and a backslash makes a wildcard plain."""
    assert ask(dialect.like(bindparam("t"), bindparam("p"), negated=False), t=text, p=pattern) == matches
    assert ask(dialect.like(bindparam("t"), bindparam("p"), negated=True), t=text, p=pattern) == 1 - matches


def test_like_spelling(dialect):
    """The escape is part of the text."""
    sql, _ = dialect.render(dialect.like(column("title"), bindparam("p"), negated=False))

    assert sql == """"title" LIKE ? ESCAPE '\\'"""


def test_lower_is_ascii(dialect, ask):
    """Only A to Z are lowered."""
    assert ask(dialect.lower(bindparam("t")), t="ÀB") == "Àb"


@pytest.mark.parametrize(("left", "right", "same"), [(None, None, 1), (None, "a", 0), ("a", "a", 1), ("a", "b", 0)])
def test_is_same_knows_null(dialect, ask, left, right, same):
    """NULL is the same as NULL and different from everything else."""
    assert ask(dialect.is_same(bindparam("l"), bindparam("r"), negated=False), l=left, r=right) == same
    assert ask(dialect.is_same(bindparam("l"), bindparam("r"), negated=True), l=left, r=right) == 1 - same


def test_is_same_as_null(dialect):
    """A NULL in the statement is IS NULL."""
    assert dialect.render(dialect.is_same(column("a"), null(), negated=False))[0] == '"a" IS NULL'


def test_strftime(dialect, ask):
    """Formats and modifiers are SQLite's; nonsense is NULL."""
    parts = [bindparam("f"), bindparam("t"), bindparam("m")]

    assert ask(dialect.strftime(parts), f="%Y", t="2024-01-31 10:00:00.000Z", m="+1 year") == "2025"
    assert ask(dialect.strftime(parts), f="%Y", t="soon", m="+1 year") is None


@pytest.mark.parametrize(
    ("places", "kilometres"),
    [
        ((23.32, 42.69, 23.32, 42.69), 0),
        ((0, 0, 180, 0), math.pi * 6371),
        ((0, 90, 0, -90), math.pi * 6371),
        ((13.405, 52.52, 2.3522, 48.8566), 877.46),
        ((179.9, 0, -179.9, 0), 22.239),
    ],
)
def test_geo_distance(dialect, ask, places, kilometres):
    """Distances are great circles, also across the date line and between antipodes."""
    distance = dialect.geo_distance(*(bindparam(name) for name in "abcd"))

    assert ask(distance, **dict(zip("abcd", places, strict=True))) == pytest.approx(kilometres, abs=0.01)


@pytest.mark.parametrize("wrong", ["a", "b", "c", "d"])
@pytest.mark.parametrize("value", ["x", "", None])
def test_geo_distance_of_no_number(dialect, ask, wrong, value):
    """A part that is no number has no distance."""
    distance = dialect.geo_distance(*(bindparam(name) for name in "abcd"))

    assert ask(distance, **({"a": 1, "b": 2, "c": 3, "d": 4} | {wrong: value})) is None


def test_random_order_shuffles(dialect, connection, add):
    """Sorted at random, the records come in different orders."""
    for number in range(20):
        add(id=f"{number:02}")
    sql, _ = dialect.render(select(POSTS.c.id).order_by(dialect.random_order()))

    assert len({tuple(connection.execute(sql)) for _ in range(5)}) > 1


def test_insertion_order_follows_insertion(dialect, connection, add):
    """The later record comes later, of whatever alias it is asked."""
    add(id="b")
    add(id="a")
    alias = POSTS.alias("__p")
    sql, _ = dialect.render(select(alias.c.id).order_by(dialect.insertion_order(alias).desc()))

    assert list(connection.execute(sql)) == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("kind", "value", "cast"),
    [("number", "5", 5), ("number", "1.5", 1.5), ("text", 5, "5"), ("id", None, None), ("json", "5", "5")],
)
def test_cast_value(dialect, ask, kind, value, cast):
    """A value gets the type it would have in the column."""
    assert ask(dialect.cast_value(kind, bindparam("v")), v=value) == cast
