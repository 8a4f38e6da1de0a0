"""From a template to what a letter says.

Templates have placeholders such as `{APP_NAME}` and no logic: nothing in them is ever run.
All are filled in one pass, so a value that looks like a placeholder stays what it is, and
values are escaped where they stand in HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from undercroft.mail.message import one_line
from undercroft.mail.plain_text import plain_text

_PLACEHOLDER: Final = re.compile(r"\{([A-Z][A-Z_]*(?::\w+)?)\}")
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_UNWRITABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
_STYLE: Final = (
    "body{{margin:0;padding:24px;background:#fff;color:#1c1c1c;font:16px/1.5 system-ui,-apple-system,Segoe UI,Roboto,"
    "Helvetica,Arial,sans-serif}}main{{display:block;max-width:36em;margin:0 auto}}p{{margin:0 0 16px}}"
    "a{{color:{accent}}}.btn{{display:inline-block;padding:10px 22px;border-radius:6px;background:{accent};"
    "color:#fff!important;font-weight:600;text-decoration:none}}"
)
_PAGE: Final = (
    '<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
)


@dataclass(frozen=True, slots=True)
class Words:
    """What a letter says."""

    subject: str
    html: str
    text: str


def compose(subject: str, body: str, values: Mapping[str, str], accent: str = "") -> Words:
    """The words of a template with its placeholders filled; those without a value stay as they are.

    `values` are plain texts by placeholder, such as `APP_NAME` or `RECORD:name`. The body is
    HTML; one that is no whole page is put into ours, with buttons (`class="btn"`) of the accent colour.
    """
    title = one_line(_fill(_writable(subject), values))
    html = _writable(_fill(body, {name: escape(value) for name, value in values.items()}))
    if "<html" not in html[:2000].lower():
        color = accent if _COLOR.fullmatch(accent) else "#1055c9"
        html = _PAGE.format(title=escape(title), style=_STYLE.format(accent=color), body=html)
    return Words(title, html, plain_text(html))


def _fill(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)


def _writable(text: str) -> str:
    """The text without what no mail can carry."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
