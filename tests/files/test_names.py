"""Names that files are stored under: whatever name they came with, it is harmless."""

from __future__ import annotations

import re
from random import Random

import pytest

from undercroft.files.keys import is_safe_part
from undercroft.files.names import stored_name

SAFE = re.compile(r"[a-z0-9_]{3,110}_[a-z0-9]{10}(\.[\w.*\-+=#]{1,20})?", re.ASCII)
PARTS = [
    "../",
    "..\\",
    "/etc/passwd",
    "C:\\Windows\\",
    "\0",
    "\r\n",
    "Set-Cookie: a=b",
    "CON",
    "nul.txt",
    ".htaccess",
    "..",
    ".",
    "~",
    "a" * 300,
    "." * 50,
    "\u202egpj.exe",
    "\u200b",
    "файл",
    "日本語",
    "🦊",
    "é",
    "'",
    '"',
    "<script>alert(1)</script>",
    "%2e%2e%2f",
    "%00",
    ";rm -rf /",
    "$(id)",
    "`id`",
    "|cat",
    "*?",
    "&",
    " ",
    "\t",
    "-rf",
    "thumbs_",
    ".attrs",
    ".tar.gz",
    ".PHP",
    ".p hp",
    ".js;.png",
]


def hostile_names(count: int) -> list[str]:
    chance = Random(39)
    return PARTS + ["".join(chance.choices(PARTS, k=chance.randint(1, 5))) for _ in range(count - len(PARTS))]


@pytest.mark.parametrize("original", hostile_names(200))
def test_hostile_names(original):
    """A stored name has nothing that any system, shell, header or page could misread."""
    name = stored_name(original, "text/plain")

    assert SAFE.fullmatch(name), name
    assert is_safe_part(name)
    assert ".." not in name
    assert len(name) < 150


@pytest.mark.parametrize(
    ("original", "stored"),
    [
        ("My File (1).tar.gz", r"my_file_1_[a-z0-9]{10}\.tar\.gz"),
        ("CamelCaseFile.json", r"camel_case_file_[a-z0-9]{10}\.json"),
        ("файл.txt", r"[a-z0-9]{10}_[a-z0-9]{10}\.txt"),
        ("UPPER Name.TXT", r"upper_name_[a-z0-9]{10}\.TXT"),
        ("a", r"a[a-z0-9]{10}_[a-z0-9]{10}\.txt"),
        (".htaccess", r"[a-z0-9]{10}_[a-z0-9]{10}\.htaccess"),
        ("a.b.c.d.txt", r"a_b_c_[a-z0-9]{10}\.d\.txt"),
        ("a\\b.txt", r"a_b_[a-z0-9]{10}\.txt"),
        ("dir/sub/name.txt", r"name_[a-z0-9]{10}\.txt"),
    ],
)
def test_readable_names(original, stored):
    """A stored name still tells what the file was called."""
    assert re.fullmatch(stored, stored_name(original, "text/plain; charset=utf-8"))


def test_no_name_comes_twice():
    """Two files of one name never share theirs."""
    assert len({stored_name("a.txt", "text/plain") for _ in range(10_000)}) == 10_000
