"""Undercroft: a complete backend in one Python package."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undercroft.app import App
    from undercroft.moments import cron, job, mount, on, route, webhook

__version__ = "0.1.0"
__all__ = ["App", "__version__", "cron", "job", "mount", "on", "route", "webhook"]
_HOMES = {
    "App": "undercroft.app",
    **dict.fromkeys(("cron", "job", "mount", "on", "route", "webhook"), "undercroft.moments"),
}


def __getattr__(name: str) -> Any:
    """What this package offers, imported when it is asked for: the command line must not wait for it."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'undercroft' has no attribute {name!r}")
