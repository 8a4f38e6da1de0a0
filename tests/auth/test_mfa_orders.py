"""Two factors in every order: whatever steps are taken, nobody is in without two that belong together."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import Any

from after_answers import all_letters_sent
from authenticator import Authenticator
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, rule, run_state_machine_as_test
from post_office import PASSWORD, USERS, token_in_text

from undercroft import testing
from undercroft.auth.tokens import issue
from undercroft.auth.totp_codes import PERIOD, code_at
from undercroft.query.scope import Identity
from undercroft.records.record import find_record
from undercroft.testing import Answer, TestClient

OPTIONS = {
    "mfa": {"enabled": True, "duration": 600},
    "otp": {"enabled": True, "length": 8},
    "magicLink": {"enabled": True},
    "passkeys": {"enabled": True},
    "totp": {"enabled": True},
    "authAlert": {"enabled": False},
}
ORDERS = int(os.environ.get("DRILL_ORDERS", "15"))
BY_MAIL = {"otp", "magicLink"}
STRONG = {"passkey", "totp"}
WHO = st.sampled_from([0, 1])


@dataclass
class Person:
    """An account with every factor; a `strict` one is asked for one that whoever reads its mail does not have."""

    email: str
    id: str
    device: Authenticator
    seed: str = ""

    @property
    def is_strict(self) -> bool:
        return bool(self.seed)


@dataclass
class Half:
    """The first half of a log-in, while it counts."""

    id: str
    who: Person
    method: str
    counts: bool = True


@dataclass
class World:
    """A backend that one runner works with, and the people in it; each example has two new ones."""

    runner: asyncio.Runner
    client: TestClient
    root: str
    count: int = 0
    taken: int = field(default=0)

    def ask(self, what: str, as_: str = "", **body: Any) -> Answer:
        return self.runner.run(self._ask(what, as_, body))

    async def _ask(self, what: str, as_: str, body: dict[str, Any]) -> Answer:
        engine = self.client.backend.engine
        await engine.write(lambda tx: tx.run('DELETE FROM "_rations"'))
        await engine.write(lambda tx: tx.run('UPDATE "_totp" SET "step" = 0'))
        answer = await self.client.post(f"{USERS}/{what}", body, as_=as_)
        await self.client.backend.errands.done()
        return answer

    def letter(self, email: str) -> str:
        """The text of the newest letter to somebody."""
        return self.runner.run(self._letter(email))

    async def _letter(self, email: str) -> str:
        await all_letters_sent(self.client.backend)
        letter = await self.client.letter(email)
        return letter.get_body(("plain",)).get_content()

    def newcomer(self, *, is_strict: bool) -> Person:
        return self.runner.run(self._newcomer(is_strict))

    async def _newcomer(self, is_strict: bool) -> Person:
        self.count += 1
        email = f"person{self.count}@example.com"
        body = {"email": email, "verified": True, "password": PASSWORD, "passwordConfirm": PASSWORD}
        made = await self.client.post(f"{USERS}/records", body, as_=self.root)
        engine, users = self.client.backend.engine, self.client.backend.catalog.collection("users")
        account = Identity(users, await find_record(engine.read, engine.dialect, users, {"id": made.json["id"]}))
        token = issue("auth", users, account.record, refreshable=True, iat=int(time.time()))
        person = Person(email, account.id, Authenticator())
        options = (await self._ask("request-passkey", token, {})).json
        brought = await self._ask("confirm-passkey", token, {"credential": person.device.create(options)})
        assert brought.status == 200, brought.text
        if is_strict:
            person.seed = (await self._ask("request-totp", token, {})).json["secret"]
            shown = await self._ask("confirm-totp", token, {"code": code_of(person)})
            assert shown.status == 200, shown.text
        return person


def code_of(person: Person) -> str:
    return code_at(person.seed, int(time.time()) // PERIOD)


class Orders(RuleBasedStateMachine):
    """Steps of two people who log in; what the server says of each is what these few lines say."""

    world: World
    halves: Bundle[Half] = Bundle("halves")

    def __init__(self) -> None:
        super().__init__()
        self.people = [self.world.newcomer(is_strict=False), self.world.newcomer(is_strict=True)]

    def end(self, answer: Answer, who: Person, method: str, half: Half | None) -> Any:
        """See that an answer to a right proof is what it must be; the first half that it is, if it is one."""
        if half is None:
            assert answer.status == 401, answer.text
            assert "token" not in answer.json
            return Half(answer.json["mfaId"], who, method)
        is_enough = not who.is_strict or bool(STRONG & {half.method, method})
        if half.counts and half.who is who and is_other(half.method, method) and is_enough:
            assert answer.status == 200, answer.text
            assert answer.json["record"]["id"] == who.id
            half.counts = False
            self.world.taken += 1
        else:
            assert (answer.status, "token" in answer.json) == (400, False), answer.text
        return multiple()

    @rule(target=halves, who=WHO)
    def password(self, who: int) -> Any:
        return self._password(who, None)

    @rule(target=halves, who=WHO, half=halves)
    def password_second(self, who: int, half: Half) -> Any:
        return self._password(who, half)

    def _password(self, who: int, half: Half | None) -> Any:
        person = self.people[who]
        form = {"identity": person.email, "password": PASSWORD, **told(half)}
        return self.end(self.world.ask("auth-with-password", **form), person, "password", half)

    @rule(who=WHO, half=halves)
    def wrong_password(self, who: int, half: Half) -> None:
        form = {"identity": self.people[who].email, "password": "wrong-password", **told(half)}
        assert self.world.ask("auth-with-password", **form).status == 400

    @rule(target=halves, who=WHO)
    def code(self, who: int) -> Any:
        return self._code(who, None)

    @rule(target=halves, who=WHO, half=halves)
    def code_second(self, who: int, half: Half) -> Any:
        return self._code(who, half)

    def _code(self, who: int, half: Half | None) -> Any:
        person = self.people[who]
        asked = self.world.ask("request-otp", email=person.email).json["otpId"]
        code = next(word.strip(".") for word in self.world.letter(person.email).split() if word.strip(".").isdigit())
        answer = self.world.ask("auth-with-otp", otpId=asked, password=code, **told(half))
        return self.end(answer, person, "otp", half)

    @rule(target=halves, who=WHO)
    def link(self, who: int) -> Any:
        return self._link(who, None)

    @rule(target=halves, who=WHO, half=halves)
    def link_second(self, who: int, half: Half) -> Any:
        return self._link(who, half)

    def _link(self, who: int, half: Half | None) -> Any:
        person = self.people[who]
        self.world.ask("request-magic-link", email=person.email)
        token = token_in_text(self.world.letter(person.email))
        answer = self.world.ask("auth-with-magic-link", token=token, **told(half))
        return self.end(answer, person, "magicLink", half)

    @rule(target=halves, who=WHO)
    def passkey(self, who: int) -> Any:
        person = self.people[who]
        return self.end(self._enter(person, None, None), person, "passkey", None)

    @rule(who=WHO, half=halves, other=halves)
    def passkey_second(self, who: int, half: Half, other: Half) -> None:
        """With a challenge of one first half, and the id of the same or another one."""
        person = self.people[who]
        answer = self._enter(person, half, other)
        if answer is None:
            assert not half.counts
        elif half.who is person and half.id == other.id:
            self.end(answer, person, "passkey", half)
        else:
            assert (answer.status, "token" in answer.json) == (400, False), answer.text

    @rule(who=WHO, half=halves)
    def passkey_with_a_half_for_none(self, who: int, half: Half) -> None:
        """With a challenge of nobody's, and a first half that comes only then."""
        person = self.people[who]
        self.end(self._enter(person, None, half), person, "passkey", half)

    def _enter(self, person: Person, asked: Half | None, brought: Half | None) -> Any:
        options = self.world.ask("request-passkey-login", **told(asked))
        if options.status == 400:
            return None
        credential = person.device.get(options.json)
        return self.world.ask("auth-with-passkey", credential=credential, **told(brought))

    @rule(half=halves, who=WHO)
    def app(self, half: Half, who: int) -> None:
        """A code of somebody's app, for anybody's first half."""
        person = self.people[who]
        code = code_of(person) if person.is_strict else "123456"
        answer = self.world.ask("auth-with-totp", code=code, mfaId=half.id)
        if half.who is person and person.is_strict:
            self.end(answer, person, "totp", half)
        else:
            assert (answer.status, "token" in answer.json) == (400, False), answer.text

    @rule(who=WHO)
    def app_first(self, who: int) -> None:
        """Without a first half there is nothing to complete."""
        person = self.people[who]
        code = code_of(person) if person.is_strict else "123456"
        assert self.world.ask("auth-with-totp", code=code).status == 400
        assert self.world.ask("auth-with-totp", code=code, mfaId="nosuchmfa000000").status == 400

    @rule(half=halves)
    def enrol(self, half: Half) -> None:
        """A first half is no leave to add a factor."""
        for what in ("request-totp", "request-passkey", "renew-recovery-codes", "disable-totp", "auth-refresh"):
            assert self.world.ask(what, half.id, mfaId=half.id, code="123456").status == 401

    @rule(half=halves)
    def grow_old(self, half: Half) -> None:
        """After its time a first half is none."""
        sql = f"""UPDATE "_mfas" SET "created" = '2020-01-01 00:00:00.000Z' WHERE "id" = '{half.id}'"""
        self.world.runner.run(self.world.client.backend.engine.write(lambda tx: tx.run(sql)))
        half.counts = False


def told(half: Half | None) -> dict[str, str]:
    return {"mfaId": half.id} if half is not None else {}


def is_other(one: str, other: str) -> bool:
    return one != other and not {one, other} <= BY_MAIL


def test_every_order(tmp_path, database):
    """In any order of steps of two people somebody is in exactly when two different factors of theirs have met."""
    with asyncio.Runner() as runner:
        opening = testing.client(tmp_path, database)
        client = runner.run(opening.__aenter__())
        try:
            root = runner.run(client.superuser())
            meta = {"meta": {"appURL": "https://app.example.com"}}
            runner.run(client.patch("/api/settings", meta, as_=root))
            answer = runner.run(client.patch(USERS, OPTIONS, as_=root))
            assert answer.status == 200, answer.text
            Orders.world = world = World(runner, client, root)
            quick = settings(
                max_examples=ORDERS, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
            )
            run_state_machine_as_test(Orders, settings=quick)
        finally:
            runner.run(opening.__aexit__(None, None, None))
    assert world.taken > 0
