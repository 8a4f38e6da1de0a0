"""What happens to the whole server, as hooks see it."""

from __future__ import annotations

from undercroft.backend import Backend
from undercroft.records.access import Access
from undercroft.records.events import SiteEvent
from undercroft.records.host import Work
from undercroft.records.saving import Outside


class AppEvent(SiteEvent):
    """The server starts or ends. Nobody asked for it, so its hooks read and write without any rule."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(Outside(Work(backend), Access.of_system(backend)))
        self.backend = backend
