"""POST impersonate: a superuser gets a token that speaks for somebody else."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from undercroft.api.auth.context import answer, auth_collection, new_token, read_form
from undercroft.auth.accounts import account_of
from undercroft.errors import FieldError, Invalid
from undercroft.http.request import Request
from undercroft.http.response import Response

NEGATIVE: Final = FieldError("validation_min_greater_equal_than_required", "Must be no less than 0.", {"threshold": 0})


class ImpersonateForm(msgspec.Struct, frozen=True):
    """For how many seconds; 0 is as long as tokens of the collection live."""

    duration: Annotated[int, msgspec.Meta(le=2**40)] = 0


async def handler(request: Request) -> Response:
    """The account, and a token for it that cannot be renewed; no rule is asked."""
    collection = auth_collection(request)
    form = await read_form(request, ImpersonateForm)
    if form.duration < 0:
        raise Invalid({"duration": NEGATIVE})
    identity = await account_of(request.backend, collection, request.params["id"])
    return await answer(request, identity, new_token(identity, refreshable=False, duration=form.duration))
