"""Answers that threads bring to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from undercroft.database.engine import Listeners


def settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Give a future its outcome, unless nobody waits for it any more."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(error)


def run_actions(actions: Iterable[Callable[[], None]], loop: asyncio.AbstractEventLoop) -> None:
    """Call what was to happen after a commit; one that fails is told to the loop and stops no other."""
    for action in actions:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the commit stands, and the next action is owed its call
            loop.call_exception_handler({"message": f"{action!r} failed after a commit", "exception": error})


def announce(kind: str, listeners: Listeners, actions: list[Callable[[], None]]) -> None:
    """Have the listener to a kind of change, if there is one, called with the other actions."""
    listener = listeners.get(kind)
    if listener is not None and listener not in actions:
        actions.append(listener)
