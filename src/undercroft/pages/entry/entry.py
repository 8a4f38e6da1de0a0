"""A form by which somebody comes in, or changes how they do: what it asks for, and what becomes of it.

Templates draw one by its name, as `{{ sign_in_form(records.users) }}`. It is taken at the page it stands on,
and works without JavaScript. Where one more step is needed, the page comes back with the form of that step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from undercroft.auth.accounts import find_auth_collection
from undercroft.auth.form_token import FormExpired
from undercroft.auth.tokens import read_any_claims
from undercroft.collections.collection import Collection
from undercroft.http.body import MIB
from undercroft.pages.controls import Control
from undercroft.pages.submissions import Failure, open_form, read_sent
from undercroft.pages.typed import Texts

if TYPE_CHECKING:
    from undercroft.pages.context import PageRequest


NEXT: Final = "next"  # the parameter of the URL that says where the visitor wanted to go


@dataclass(frozen=True, slots=True)
class Received:
    """What came with such a form: for accounts of which collection, where to go then, and all texts."""

    collection: str
    then: str
    texts: Texts

    def text(self, name: str) -> str:
        """What was typed into one control, or came back unseen."""
        return "".join(self.texts.get(name, ()))


Controls = Callable[[Collection | None, Mapping[str, str]], Sequence[Control]]
Attributes = Callable[[str, Mapping[str, str]], Mapping[str, Any]]
"""From the name of a collection, and what is carried along, to attributes of an HTML element."""
Taker = Callable[["PageRequest", Received], Awaitable[str]]


CountsAs = tuple[str, ...] | Callable[[Received], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of form. `controls` is told the collection and what is carried along unseen, by the names in `carries`.

    `take` does what the form is for, and says where the visitor goes then. `done` is said above a form that leads
    back to itself, `stale` where what the link of a letter brought does not count any more. `steps` are
    the kinds that stand in its place while they are due. `counts_as` is which request rate limits take it for: the end
    of its path, and what that does; by what was sent, where that decides it. Whose accounts it is `about` the form
    says, the token of the letter, or who the visitor is.
    """

    name: str
    submit: str
    take: Taker
    controls: Controls = lambda *_: ()
    done: str = ""
    stale: str = ""
    carries: Sequence[str] = ()
    steps: Sequence[str] = ()
    attributes: Attributes = lambda *_: {}
    look: str = "form.html"
    counts_as: CountsAs = ()
    about: Literal["form", "letter", "caller"] = "form"


async def receive(visit: PageRequest) -> Received:
    """What a form sent. Raises `FormExpired`, and what a body that cannot be read raises."""
    sent = read_sent((await visit.http.body(MIB)).texts or {})
    visit.failure = Failure(sent, FormExpired())
    descriptor, _ = open_form(visit, sent)
    return Received(descriptor.collection, descriptor.then, sent.texts)


def collection_of(visit: PageRequest, received: Received) -> Collection:
    """The collection that a form is for. Raises `UnknownCollection`."""
    return visit.http.backend.catalog.collection(received.collection)


def find_named(visit: PageRequest, token: str) -> Collection | None:
    """The collection whose accounts the token of a letter is about, which is not believed yet."""
    claims = read_any_claims(token)
    return find_auth_collection(visit.http.backend.catalog, claims.collection_id) if claims is not None else None
