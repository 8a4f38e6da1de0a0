"""Keep the table of situations in docs/reference/errors.md as the classes in the source have it.

python tools/problems.py
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from counts import SOURCE, load_modules

PAGE = SOURCE.parent / "docs" / "reference" / "errors.md"

STATUSES = {
    "BadRequest": "400",
    "Unauthenticated": "401",
    "Forbidden": "403",
    "NotFound": "404",
    "Conflict": "409",
    "Gone": "410",
    "TooLarge": "413",
    "Locked": "423",
    "TooMany": "429",
    "UnknownTusVersion": "412",
    "NotAnUpload": "415",
    "WrongChecksum": "460",
    "Unreadable": "500",
    "Unavailable": "503",
    "StorageFull": "507",
    "Problem": "–",
}


@dataclass(frozen=True)
class Situation:
    """One class of problem: its code, what it is, and the classes it is made from."""

    code: str
    meaning: str
    bases: tuple[str, ...]


def find_situations() -> dict[str, Situation]:
    """Every class with a code, by name."""
    classes = [
        node for module in load_modules().values() for node in module.tree.body if isinstance(node, ast.ClassDef)
    ]
    found = {node.name: Situation(_code(node), _meaning(node), tuple(map(ast.unparse, node.bases))) for node in classes}
    return {name: one for name, one in found.items() if one.code or _status(name, found)}


def render_table() -> str:
    """The table, by status and code."""
    found = find_situations()
    rows = {(_status(name, found), one.code, one.meaning) for name, one in found.items() if one.code}
    lines = [f"| {status} | `{code}` | {meaning} |" for status, code, meaning in sorted(rows)]
    return "\n".join(["| Status | Code | When |", "|---|---|---|", *lines])


def _status(name: str, found: dict[str, Situation]) -> str:
    if name in STATUSES:
        return STATUSES[name]
    bases = found[name].bases if name in found else ()
    return next((status for base in bases if (status := _status(base, found))), "")


def _code(node: ast.ClassDef) -> str:
    for line in node.body:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        value = getattr(line, "value", None)
        if isinstance(target, ast.Name) and target.id == "code" and isinstance(value, ast.Constant):
            return str(value.value)
    return ""


def _meaning(node: ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").split("\n")[0].replace("|", "\\|")


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    table = re.compile(r"^\| Status \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
    PAGE.write_text(table.sub(lambda _: render_table(), page), encoding="utf-8")
