"""How templates become Python: as Jinja does it, with fewer steps where an asynchronous template takes many.

Jinja calls a coroutine for every attribute, to await what that gives, and hands over each
piece of text by itself. Here an attribute is awaited if it is a coroutine, and the pieces
of one output go together.
"""

from __future__ import annotations

from typing import Final

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame

_BEFORE: Final = "(found if (found := "
_BEHIND: Final = ")).__class__ is not coroutine else await found)"


class Generator(CodeGenerator):
    """Writes the code of one template."""

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802 - Jinja calls it so
        """An output in one piece, unless it goes into a buffer anyway."""
        if frame.buffer is not None or len(node.nodes) == 1:
            super().visit_Output(node, frame)
            return
        pieces = self.temporary_identifier()
        self.writeline(f"{pieces} = []")
        frame.buffer = pieces
        super().visit_Output(node, frame)
        frame.buffer = None
        self.writeline(f"yield concat({pieces})")

    def write_commons(self) -> None:
        """What every function of a template begins with."""
        super().write_commons()
        self.writeline("coroutine = environment.coroutine")

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802 - likewise
        """An attribute, awaited if it is a coroutine, as some of `loop` are."""
        self.write(_BEFORE + "environment.getattr(")
        self.visit(node.node, frame)
        self.write(f", {node.attr!r}{_BEHIND}")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 - likewise
        """An item, awaited if it is a coroutine."""
        if isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write(_BEFORE + "environment.getitem(")
        self.visit(node.node, frame)
        self.write(", ")
        self.visit(node.arg, frame)
        self.write(_BEHIND)
