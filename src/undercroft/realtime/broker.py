"""Who listens, and to what: the clients of this process, grouped by what they would hear alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from undercroft.collections.collection import Collection
from undercroft.database.engine import Engine
from undercroft.errors import Unavailable
from undercroft.http.client_ip import network_of
from undercroft.ids import RECORD_ID_ALPHABET, random_text
from undercroft.query.scope import Identity
from undercroft.realtime.client import Client, Ending
from undercroft.realtime.neighbours import Said
from undercroft.realtime.topics import EVERY, Place, Topic, parse_topic
from undercroft.records.record import find_record

MOST_CLIENTS: Final = 12_000
MOST_OF_NETWORK: Final = 6_000
MOST_TOPIC_BYTES: Final = 128 * 1024 * 1024
_OWNER_LENGTH: Final = 10

AccountKey = tuple[str, str, str]


class TooManyListeners(Unavailable):
    """This process holds as many connections that listen as it may, all in all or from one network."""

    code = "too_many_listeners"
    default = "Too many connections listen for live updates. Try again later."

    def __init__(self) -> None:
        super().__init__(retry_after=30)


@dataclass(slots=True, eq=False)
class Account:
    """Somebody signed in who listens. `key` has a fingerprint of what their tokens depend on."""

    key: AccountKey
    identity: Identity
    clients: set[Client] = field(default_factory=set)
    turn: int = 0

    async def renew(self, engine: Engine, collection: Collection | None) -> bool:
        """Read the account anew; whether what was bound to it still stands."""
        self.turn += 1
        turn = self.turn
        if collection is None or not collection.is_auth:
            return False
        record = await find_record(engine.read, engine.dialect, collection, {"id": self.key[1]})
        identity = Identity(collection, record, self.identity.grant) if record is not None else None
        if identity is None or key_of(identity) != self.key:
            return False
        if turn == self.turn:  # else somebody began later, and has it as new or newer
            self.identity = identity
        return True


def key_of(identity: Identity) -> AccountKey:
    """What an account is known by for as long as its tokens are good; with an API key apart from without."""
    auth = identity.collection.auth
    secret = auth.auth_token.secret if auth else ""
    key = identity.grant.key if identity.grant is not None else ""
    return identity.collection.id, identity.id, f"{identity.record['tokenKey']}{secret}{key}"


@dataclass(slots=True, eq=False)
class Group:
    """Clients who hear the same: the same topic with the same options, as the same account or as guests."""

    topic: Topic
    account: Account | None
    clients: dict[Client, None] = field(default_factory=dict)

    @property
    def identity(self) -> Identity | None:
        return self.account.identity if self.account else None


GroupKey = tuple[str, AccountKey | None]


class Broker:
    """The clients of this process. `owner` is what the ids of all of them begin with."""

    def __init__(self) -> None:
        self.owner = random_text(_OWNER_LENGTH, RECORD_ID_ALPHABET)
        self.clients: dict[str, Client] = {}
        self.accounts: dict[AccountKey, Account] = {}
        self.is_closed = False
        self._of_record: dict[tuple[str, str], set[Account]] = {}
        self._groups: dict[Place, dict[GroupKey, Group]] = {}
        self._networks: Counter[str] = Counter()
        self._topic_bytes = 0

    def open(self, address: str, since: int | None, *, keeps_place: bool) -> Client:
        """A new client. Raises `TooManyListeners`."""
        network = network_of(address)
        if len(self.clients) >= MOST_CLIENTS or self._networks[network] >= MOST_OF_NETWORK:
            raise TooManyListeners
        client = Client(self.owner, address, since, keeps_place=keeps_place)
        self.clients[client.id] = client
        self._networks[network] += 1
        return client

    def close(self, client: Client) -> None:
        """Forget a client; one that is forgotten already stays so."""
        if self.clients.pop(client.id, None) is None:
            return
        client.end("gone")
        network = network_of(client.address)
        self._networks[network] -= 1
        if not self._networks[network]:
            del self._networks[network]
        self.place(client, {}, client.account)
        self._unbind(client)

    def bind(self, client: Client, identity: Identity | None) -> Account | None:
        """The account that a client will listen as."""
        self._unbind(client)
        if identity is None:
            return None
        key = key_of(identity)
        account = self.accounts.setdefault(key, Account(key, identity))
        self._of_record.setdefault(key[:2], set()).add(account)
        account.clients.add(client)
        client.account = account
        return account

    def place(self, client: Client, topics: Mapping[str, Topic | None], account: Account | None) -> None:
        """Have a client hear of these topics and of no others. Raises `TooManyListeners`."""
        size = sum(map(len, topics))
        if size and self._topic_bytes + size - client.topics_size > MOST_TOPIC_BYTES:
            raise TooManyListeners
        self._topic_bytes += size - client.topics_size
        client.topics_size = size
        client.topics = frozenset(topics)
        self._leave(client)
        found: dict[Place, list[Group]] = {}
        for text, topic in topics.items():
            if topic is not None:
                groups = self._groups.setdefault(topic.place, {})
                key = (text, account.key if account else None)
                group = groups.setdefault(key, Group(topic, account))
                group.clients[client] = None
                found.setdefault(topic.place, []).append(group)
        client.groups = found

    def say(self, client_id: str, said: Said) -> bool:
        """Have one client told something; whether it is there and listens to that."""
        client = self.clients.get(client_id)
        if client is None or (said.address and client.address != said.address):
            return False
        is_told = client.say(said.topic, bytes(said.data))
        if is_told and said.is_last:
            rest = client.topics - {said.topic}
            self.place(client, {text: parse_topic(text) for text in rest}, client.account)
        return is_told

    def groups_at(self, collection: Collection, record_id: str) -> Iterator[Group]:
        """Those who may hear of a change of a record."""
        for place in places_of(collection, record_id):
            yield from tuple(self._groups.get(place, {}).values())

    def groups(self) -> Iterator[Group]:
        """All there are."""
        for groups in tuple(self._groups.values()):
            yield from tuple(groups.values())

    def accounts_of(self, collection_id: str, record_id: str) -> list[Account]:
        """The accounts that listen of an auth record; several for a moment when its tokens were ended."""
        return list(self._of_record.get((collection_id, record_id), ()))

    def end_all(self, ending: Ending) -> None:
        """Let every connection end, and each new one at once."""
        self.is_closed = True
        for client in tuple(self.clients.values()):
            client.end(ending)

    def _leave(self, client: Client) -> None:
        for place, groups in client.groups.items():
            known = self._groups.get(place, {})
            for group in groups:
                group.clients.pop(client, None)
                if not group.clients:
                    known.pop((group.topic.text, group.account.key if group.account else None), None)
            if not known:
                self._groups.pop(place, None)
        client.groups = {}

    def _unbind(self, client: Client) -> None:
        account, client.account = client.account, None
        if account is not None:
            account.clients.discard(client)
            if not account.clients:
                self.accounts.pop(account.key, None)
                same = self._of_record.get(account.key[:2], set())
                same.discard(account)
                if not same:
                    self._of_record.pop(account.key[:2], None)


def places_of(collection: Collection, record_id: str) -> Iterable[Place]:
    """Where topics stand that a change of a record belongs to."""
    names = (collection.name, collection.id) if collection.name != collection.id else (collection.name,)
    return [(name, record) for name in names for record in (EVERY, record_id)]


def groups_of(client: Client, collection: Collection, record_id: str) -> Sequence[Group]:
    """The groups of one client that may hear of a change of a record."""
    return [group for place in places_of(collection, record_id) for group in client.groups.get(place, ())]
