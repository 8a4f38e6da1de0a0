"""What is moved from one database to another, described so that neither engine's spelling is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from undercroft.database.dialect import ColumnKind

MovedKind = ColumnKind | Literal["whole"]
"""What a column holds: the kinds of fields, and whole numbers, which only the house's own tables have."""


@dataclass(frozen=True, slots=True)
class MovedColumn:
    """One column. Where it is not `is_nullable`, NULL stands for the empty value of its kind."""

    name: str
    kind: MovedKind
    is_nullable: bool = False


@dataclass(frozen=True, slots=True)
class MovedIndex:
    """An index: its name, the statement that builds it in the target, and the columns it keeps.

    It `tells_apart` all rows by nothing but these columns, or else does not.
    """

    name: str
    sql: str
    columns: tuple[str, ...] = ()
    tells_apart: bool = False


@dataclass(frozen=True, slots=True)
class MovedTable:
    """A table, with the statement that makes it in the target; `""` when its data format does.

    Rows are read in the order of `key`, and people know them by `label`. `counter` is a
    column that counts upwards. With `has_rows` the data format also makes rows, which
    give way to those that are moved.
    """

    name: str
    columns: tuple[MovedColumn, ...]
    key: str = "_rowid_"  # in no definition; both engines number the rows of a collection
    label: str = "id"
    create: str = ""
    indexes: tuple[MovedIndex, ...] = ()
    counter: str = ""
    has_rows: bool = False

    @property
    def label_position(self) -> int:
        """Where the label stands among the columns."""
        return next(at for at, column in enumerate(self.columns) if column.name == self.label)


@dataclass(frozen=True, slots=True)
class MovedView:
    """A view, and the statement that makes it in the target."""

    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class MovePlan:
    """All that is moved, in the order in which it is made; `left` are tables that nobody described."""

    tables: tuple[MovedTable, ...]
    views: tuple[MovedView, ...] = ()
    left: tuple[str, ...] = ()


def _columns(**kinds: MovedKind) -> tuple[MovedColumn, ...]:
    return tuple(MovedColumn(name, kind) for name, kind in kinds.items())


def _rules() -> tuple[MovedColumn, ...]:
    actions = ("list", "view", "create", "update", "delete")
    return tuple(MovedColumn(f"{action}_rule", "text", is_nullable=True) for action in actions)


HOUSE_TABLES: Final = (
    MovedTable("_params", _columns(id="id", value="text", created="date", updated="date"), has_rows=True),
    MovedTable(
        "_collections",
        (
            *_columns(id="id", name="text", type="text", system="bool", fields="json", indexes="json"),
            *_rules(),
            *_columns(options="json", created="date", updated="date"),
        ),
    ),
    MovedTable(
        "_changes",
        _columns(id="whole", at="date", kind="text", collection="text", record="text", action="text"),
        counter="id",
    ),
    MovedTable(
        "_sessions",
        (
            *_columns(id="id", collection="text", record="text", fingerprint="text"),
            *_columns(address="text", agent="text", created="number", expires="number"),
            *_columns(kind="text", account_key="text", seen="number", ended="whole"),
        ),
        key="id",
    ),
    MovedTable(
        "_outbox",
        (
            *_columns(id="id", kind="text", sender="text", recipient="text", content="text", state="text", note="text"),
            *_columns(due="number", until="number", attempts="whole", created="date", updated="date"),
        ),
        key="id",
    ),
    MovedTable("_positions", _columns(kind="text", position="whole"), key="kind", label="kind", has_rows=True),
    MovedTable(
        "_answers",
        _columns(key="text", fingerprint="text", number="whole", body="text", until="number"),
        key="key",
        label="key",
    ),
    MovedTable(
        "_jobs",
        (
            *_columns(id="id", name="text", arguments="text", state="text", note="text", due="number"),
            *_columns(progress="number", attempts="whole", tries="whole", created="date", updated="date"),
        ),
        key="id",
    ),
    MovedTable("_crons", _columns(name="text", last="number"), key="name", label="name"),
    MovedTable(
        "_tickets",
        _columns(id="id", kind="text", collection="text", record="text", data="text", until="number"),
        key="id",
    ),
    MovedTable(
        "_passkeys",
        (
            *_columns(id="id", collection="text", record="text", credential="text", handle="text", key="text"),
            *_columns(name="text", details="text", counter="whole", created="number", used="number"),
        ),
        key="id",
    ),
    MovedTable(
        "_totp",
        (
            *_columns(id="id", collection="text", record="text", seed="text", step="whole"),
            *_columns(confirmed="number", created="number"),
        ),
        key="id",
    ),
    MovedTable("_recovery_codes", _columns(id="id", collection="text", record="text", created="number"), key="id"),
    MovedTable(
        "_blocks",
        _columns(id="id", collection="text", record="text", reason="text", created="number", by="text"),
        key="id",
    ),
    MovedTable(
        "_api_keys",
        (
            *_columns(id="id", collection="text", record="text", name="text", hash="text", fingerprint="text"),
            *_columns(scopes="text", address="text", created="number", expires="number", used="number"),
        ),
        key="id",
    ),
    MovedTable(
        "_invitations",
        (
            *_columns(id="id", collection="text", email="text", hash="text", offer="text", inviter="text"),
            *_columns(created="number", expires="number"),
        ),
        key="id",
    ),
    MovedTable(
        "_sealed_files",
        (
            *_columns(key="text", collection="text", version="text", header="text", wrapped="text"),
            *_columns(key_id="whole", size="whole"),
        ),
        key="key",
        label="key",
    ),
    MovedTable(
        "_file_turns",
        _columns(
            collection="id", wanted="text", state="text", note="text", total="whole", done="whole", updated="date"
        ),
        key="collection",
        label="collection",
    ),
    MovedTable("_files_due", _columns(key="text", due="number"), key="key", label="key"),
    MovedTable(
        "_roots",
        _columns(id="id", version="whole", provider="text", parameters="text", check_value="text", created="date"),
        key="id",
    ),
    *(
        MovedTable(
            name,
            (
                *_columns(id="id", purpose="text", scope="text", key_id="whole", state="text", algorithm="text"),
                *_columns(wrapped="text", root_version="whole", check_value="text", uses="whole", is_primary="whole"),
                *_columns(destroy_after="number", created="date", updated="date"),
            ),
            key="id",
        )
        for name in ("_keys", "_subject_keys")
    ),
    MovedTable(
        "_erasures", _columns(id="id", scope="text", receipt="text", state="text", at="date"), key="id", label="scope"
    ),
    MovedTable(
        "_key_audit",
        (
            *_columns(id="id", event="text", purpose="text", scope="text", actor="text", detail="text"),
            *_columns(key_id="whole", at="date"),
        ),
        key="id",
    ),
    MovedTable(
        "_resealings",
        (
            *_columns(id="id", kind="text", collection="text", field="text", state="text", step="text", error="text"),
            *_columns(number="whole", total="whole", done="whole", place="whole", rate="number", most="number"),
            *_columns(started="date", updated="date"),
        ),
        key="id",
    ),
)
"""The tables of every data directory that are no collections, and move with their rows."""

NOT_MOVED: Final = frozenset(
    {"_migrations", "_leases", "_uploads", "_rations", "_move", "_listeners", "_wishes", "_hearers", "_key_holders"}
)
"""Tables that tell of one database and mean nothing in another."""
