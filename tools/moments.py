"""Keep the tables of moments in docs/reference/hooks.md as `undercroft.moments` has them.

python tools/moments.py
"""

from __future__ import annotations

import re

from counts import SOURCE

from undercroft.hooks.moment import Moment
from undercroft.moments import On

PAGE = SOURCE.parent / "docs" / "reference" / "hooks.md"


def render_table() -> str:
    """Every moment in the order of the source: its decorator, its event, and when it is."""
    rows = [
        f"| `on.{moment.name}({_names(moment)})` | `{moment.event.__name__}` | {moment.when} |" for moment in On.all()
    ]
    return "\n".join(["| Decorator | Event | When |", "|---|---|---|", *rows])


def _names(moment: Moment) -> str:
    return "*names" if moment.is_tagged else ""


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    table = re.compile(r"^\| Decorator \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
    PAGE.write_text(table.sub(lambda _: render_table(), page), encoding="utf-8")
