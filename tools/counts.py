"""Print how large the house is: modules, lines, functions, and whether its imports are in order.

Run it from the repository: `python tools/counts.py`.
"""

from __future__ import annotations

import ast
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src"
DEMO_PAGES = SOURCE / "undercroft" / "demo" / "glossary" / "pages"


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its text and its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def functions(self) -> list[tuple[int, str]]:
        """Length in lines and place of every function, inner ones too."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        found = [node for node in ast.walk(self.tree) if isinstance(node, kinds)]
        return [(node.end_lineno - node.lineno + 1, f"{self.name}.{node.name}") for node in found]


def load_modules(source: Path = SOURCE) -> dict[str, Module]:
    """Every module below a source folder, by dotted name. Scripts of the demo's pages are a site's, and no modules."""
    files = (path for path in sorted(source.rglob("*.py")) if DEMO_PAGES not in path.parents)
    return {module.name: module for module in map(_load_module, files)}


def _load_module(path: Path) -> Module:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Module(name, path, text, ast.parse(text))


def import_graph(modules: dict[str, Module]) -> dict[str, set[str]]:
    """Which modules of the house each module imports when it is loaded."""
    return {name: set(_targets(module.tree.body, modules)) - {name} for name, module in modules.items()}


def imported(node: ast.Import | ast.ImportFrom, modules: dict[str, Module]) -> list[str]:
    """The modules of the house that one import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name in modules]
    base = node.module or ""
    inner = [f"{base}.{alias.name}" for alias in node.names]
    return [name if name in modules else base for name in inner if name in modules or base in modules]


def _targets(body: list[ast.stmt], modules: dict[str, Module]) -> list[str]:
    found: list[str] = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += imported(node, modules)
        elif isinstance(node, ast.Try):
            found += _targets(node.body + [one for handler in node.handlers for one in handler.body], modules)
    return found


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one import cycle, or nothing."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph[name]):
            if cycle := walk(target, [*path, name]):
                return cycle
        done.add(name)
        return []

    return next((cycle for name in sorted(graph) if (cycle := walk(name, []))), [])


def main() -> int:
    modules = load_modules()
    written = [module for module in modules.values() if module.lines]
    functions = [function for module in written for function in module.functions]
    longest = sorted(functions, reverse=True)[:3]
    largest = max(written, key=lambda module: module.lines)
    cycle = find_cycle(import_graph(modules))
    print(f"modules            {len(written)} (and {len(modules) - len(written)} empty __init__)")
    print(f"lines              {sum(module.lines for module in written)}")
    print(f"median module      {statistics.median(module.lines for module in written):.0f} lines")
    print(f"longest module     {largest.lines} lines, {largest.name}")
    print(f"functions          {len(functions)}")
    print(f"median function    {statistics.median(length for length, _ in functions):.0f} lines")
    print(f"longest functions  {', '.join(f'{length} {name}' for length, name in longest)}")
    print(f"import graph       {'a cycle: ' + ' -> '.join(cycle) if cycle else 'no cycle'}")
    return 1 if cycle else 0


if __name__ == "__main__":
    sys.exit(main())
