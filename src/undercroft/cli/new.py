"""`undercroft new`: a site that runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import click

from undercroft.errors import Problem

_SKELETON: Final = Path(__file__).parent / "skeleton"
_RENAMED: Final = {
    "gitignore": ".gitignore",
    "index.py.txt": "index.py",
    "example.py.txt": "example.py",
}  # those of ours must not be what they make


class FolderNotEmpty(Problem):
    """A site is to be made where there is something already."""

    code = "folder_not_empty"

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is there already, and not empty. Name a folder that is not there yet.")


@click.command()
@click.argument("site", type=click.Path(path_type=Path))
def command(site: Path) -> None:
    """Make a new site in the folder SITE.

    It has a page with a script, a layout, a page for wrong addresses, a style sheet and
    the options of the server, and an example of hooks; `undercroft serve SITE --dev` shows it.

    \b
    Examples:
      undercroft new mysite
      undercroft serve mysite --dev
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    made = make_site(site)
    for file in made:
        click.echo(f"  {file}")
    click.echo(f"\nIt runs with: undercroft serve {site} --dev")


def make_site(site: Path) -> list[Path]:
    """Write the files of a new site, and return where they are. Raises `FolderNotEmpty`."""
    if site.exists() and (not site.is_dir() or any(site.iterdir())):
        raise FolderNotEmpty(site)
    made: list[Path] = []
    for source in sorted(path for path in _SKELETON.rglob("*") if path.is_file()):
        relative = source.relative_to(_SKELETON)
        target = site / relative.with_name(_RENAMED.get(relative.name, relative.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        made.append(target)
    return made
