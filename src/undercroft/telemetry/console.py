"""Log lines on the terminal, written by a thread so that a slow terminal holds nobody up."""

from __future__ import annotations

import logging
import sys
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import Final

_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"
_WAITING: Final = 10_000  # lines; past that they are lost rather than memory


class _Dropping(QueueHandler):
    """Loses lines when the queue is full, instead of waiting."""

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except Full:
            return


class Console:
    """Writes what the program logs to stderr until it is stopped."""

    def __init__(self, *, level: int = logging.WARNING, has_access_lines: bool = False) -> None:
        queue: Queue[logging.LogRecord] = Queue(_WAITING)
        self._handler = _Dropping(queue)
        writer = logging.StreamHandler(sys.stderr)
        writer.setFormatter(logging.Formatter(_FORMAT))
        self._listener = QueueListener(queue, writer)
        self._level = level
        self._access_level = logging.INFO if has_access_lines else logging.WARNING

    def start(self) -> None:
        """From now on lines are written."""
        logger = logging.getLogger("undercroft")
        logger.setLevel(self._level)
        logger.addHandler(self._handler)
        logger.propagate = False
        logging.getLogger("undercroft.access").setLevel(self._access_level)
        self._listener.start()

    def stop(self) -> None:
        """Write what waits, then no more."""
        logging.getLogger("undercroft").removeHandler(self._handler)
        self._listener.stop()
