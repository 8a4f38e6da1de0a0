"""The shape of the code: small modules, short functions, words where they are owed."""

from __future__ import annotations

import ast
import re

import pytest
from counts import Module, load_modules

MODULES = load_modules()
WRITTEN = {name: module for name, module in MODULES.items() if module.lines}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|WIP)\b")
SILENCED = re.compile(r"except (Base)?Exception[^:]*:\s*\n\s*pass\b")


@pytest.mark.parametrize("name", WRITTEN)
def test_module_is_one_screen_of_one_idea(name):
    """No module is longer than 400 lines."""
    assert WRITTEN[name].lines <= 400


def test_function_is_one_step():
    """No function is longer than 60 lines."""
    long = [f"{length} {place}" for module in WRITTEN.values() for length, place in module.functions if length > 60]

    assert long == []


def test_init_modules_are_empty():
    """What a package offers is imported from the module where it lives."""
    written = [name for name, module in WRITTEN.items() if module.path.name == "__init__.py"]

    assert written == ["undercroft"]


def test_public_names_say_what_they_are():
    """Every module, and every public function and class in it, has a docstring."""
    silent = [place for module in WRITTEN.values() for place in _without_docstring(module)]

    assert silent == []


@pytest.mark.parametrize("pattern", [UNFINISHED, SILENCED], ids=["unfinished", "silenced"])
def test_nothing_is_left_for_later(pattern):
    """No reminders of unfinished work, no exception swallowed whole."""
    found = [name for name, module in WRITTEN.items() if pattern.search(module.text)]

    assert found == []


def _without_docstring(module: Module) -> list[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [node for node in module.tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    silent = [f"{module.name}.{node.name}" for node in public if not ast.get_docstring(node)]
    return silent if ast.get_docstring(module.tree) else [module.name, *silent]
