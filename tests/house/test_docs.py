"""Every code block of the documentation runs, and answers what the page says it answers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from counts import SOURCE
from network import free_port
from nodejs import node_modules
from problems import PAGE, render_table
from s3_server import KEYS

from pages import SHOWN_BUCKET, SHOWN_DATABASE, Block, Places, Shell, read_blocks, same

ROOT = SOURCE.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page, tmp_path, request):
    """The blocks of a page run from top to bottom in an empty folder, as a reader would run them."""
    blocks = read_blocks(page.read_text(encoding="utf-8"))
    commands = "".join(block.text for block in blocks if block.language == "console")
    places = Places()
    if SHOWN_DATABASE in commands:
        places = Places(database=request.getfixturevalue("postgres").database())
    if SHOWN_BUCKET in commands:
        places = replace(places, bucket=request.getfixturevalue("s3").url(), variables=KEYS)
    if any(block.language == "js" for block in blocks):
        (tmp_path / "node_modules").symlink_to(node_modules())
    with Shell(tmp_path, free_port(), places) as shell:
        for block in blocks:
            run_block(shell, block)


def run_block(shell: Shell, block: Block) -> None:
    """Run one block; raises `AssertionError` where the page and the program differ."""
    if block.file:
        shell.save(block)
    elif block.language == "console":
        for command, expected in block.commands():
            compare(command, expected, shell.run(command, is_to_fail=block.is_to_fail))
    else:
        compare(block.text, block.output, shell.run_script(block.language, block.text))


def compare(source: str, expected: str | None, answer: str) -> None:
    """Raise `AssertionError` when the answer is not what the page shows."""
    assert same(expected, answer), f"\n{source}\nthe page says:\n{expected}\nthe program says:\n{answer}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """A link to another file of the repository names a file that is there."""
    lost = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]

    assert lost == []


def test_every_situation_is_documented():
    """The table of errors is up to date: `python tools/problems.py` brings it there."""
    assert render_table() in PAGE.read_text(encoding="utf-8")
