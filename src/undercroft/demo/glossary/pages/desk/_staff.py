"""Who may be at the desk."""

from __future__ import annotations

from undercroft.errors import Forbidden
from undercroft.pages.context import PageRequest


def is_staff(request: PageRequest) -> bool:
    """Whether the visitor works here. What they may read and write the rules of the collections say."""
    return request.identity is not None and request.identity.collection.name == "staff"


def require_staff(request: PageRequest) -> None:
    """Raise `Forbidden` for everybody else."""
    if not is_staff(request):
        raise Forbidden("Please sign in at the desk first.")
