"""Undercroft: a complete backend in one Python package."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undercroft.app import App

__version__ = "0.1.0"
__all__ = ["App", "__version__"]


def __getattr__(name: str) -> Any:
    """`undercroft.App`, imported when it is asked for: the command line must not wait for it."""
    if name == "App":
        return import_module("undercroft.app").App
    raise AttributeError(f"module 'undercroft' has no attribute {name!r}")
