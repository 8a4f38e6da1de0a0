"""Guessing passwords: few guesses are looked at, whatever tricks they come with, and whose account it is gets in."""

from __future__ import annotations

import asyncio
from itertools import cycle
from typing import Any

import pytest

from undercroft.auth import password_guesses
from undercroft.auth.password_guesses import MOST_BY_A_DEVICE, MOST_BY_STRANGERS
from undercroft.testing import Answer, TestClient

pytestmark = pytest.mark.anyio
PASSWORD = "correct-horse-9"
MEMBERS = "/api/collections/members"
LOGIN = f"{MEMBERS}/auth-with-password"
HOME = {"x-real-ip": "198.51.100.7", "user-agent": "Her browser"}
ELSEWHERE = {"x-real-ip": "2001:db8:1:2::1", "user-agent": "Guesser"}
NICK = "CREATE UNIQUE INDEX one_nick ON members (nick COLLATE NOCASE) WHERE nick != ''"


class Town:
    """A backend behind a proxy that is declared, and Ada, who has logged in from home."""

    def __init__(self, client: TestClient, root: str) -> None:
        self.client = client
        self.root = root
        self.collection_id = ""

    async def settle(self) -> None:
        proxy = {"trustedProxy": {"headers": ["X-Real-IP"]}, "batch": {"enabled": True}}
        await self.expect(self.client.patch("/api/settings", proxy, as_=self.root))
        options = {"passwordAuth": {"enabled": True, "identityFields": ["email", "nick"]}}
        fields = [{"name": "nick", "type": "text"}]
        members = {"name": "members", "type": "auth", "fields": fields, "indexes": [NICK], **options}
        made = await self.expect(self.client.post("/api/collections", members, as_=self.root))
        self.collection_id = made.json["id"]
        await self.join("ada")
        await self.expect(self.log_in("ada", HOME))

    async def join(self, name: str) -> None:
        body = {"email": f"{name}@example.com", "nick": name.title(), "password": PASSWORD, "passwordConfirm": PASSWORD}
        await self.expect(self.client.post(f"{MEMBERS}/records", body, as_=self.root))

    async def expect(self, asking: Any) -> Answer:
        answer: Answer = await asking
        assert answer.status == 200, answer.text
        return answer

    async def log_in(self, name: str, where: dict[str, str], **more: Any) -> Answer:
        body = {"identity": f"{name}@example.com", "password": PASSWORD}
        return await self.client.post(LOGIN, body, headers=where, **more)

    async def guess(self, name: str, where: dict[str, str] = ELSEWHERE, **body: Any) -> Answer:
        body = {"identity": f"{name}@example.com", "password": "wrong", **body}
        return await self.client.post(LOGIN, body, headers=where)


@pytest.fixture
async def town(client: TestClient) -> Town:
    made = Town(client, await client.superuser())
    await made.settle()
    return made


def looked_at(answers: list[Answer]) -> int:
    """How many were told that the password is wrong; the others, when to come again."""
    assert {answer.status for answer in answers} <= {400, 429}
    assert all(int(answer.headers["retry-after"]) > 600 for answer in answers if answer.status == 429)
    return sum(answer.status == 400 for answer in answers)


async def test_a_thousand_guesses_by_eight_tricks(town: Town):
    """Ten are looked at at most, and Ada comes in from home while it goes on."""
    client, answers, sizes = town.client, [], {}
    spelled = cycle(["ada@example.com", "Ada", "ADA", "aDa"])
    named = cycle([LOGIN, LOGIN.replace("members", town.collection_id), LOGIN.replace("members", "%6dembers")])
    kinds = cycle(["application/json", "APPLICATION/JSON; charset=utf-8", "Application/Json"])

    def unrelated(n: int) -> Any:
        return town.guess("ada", **{f"field{n}": n, "mfaId": str(n)})

    def other_header(n: int) -> Any:
        body = b'{"identity":"ada@example.com","password":"wrong%d"}' % n
        return client.post(LOGIN, body=body, headers={**ELSEWHERE, "content-type": next(kinds)})

    def same_network(n: int) -> Any:
        return town.guess("ada", {**ELSEWHERE, "x-real-ip": f"2001:db8:1:2:{n:x}::{n:x}"})

    def other_networks(n: int) -> Any:
        return town.guess("ada", {**ELSEWHERE, "x-real-ip": f"203.0.113.{n}"})

    def forwarded(n: int) -> Any:
        return town.guess("ada", {**ELSEWHERE, "x-forwarded-for": f"192.0.2.{n}", "forwarded": f"for=192.0.2.{n}"})

    def other_browser(n: int) -> Any:
        return town.guess("ada", {**ELSEWHERE, "user-agent": f"Browser {n}"})

    def other_name(n: int) -> Any:
        return client.post(next(named), {"identity": next(spelled), "password": str(n)}, headers=ELSEWHERE)

    def form(n: int) -> Any:
        return client.post(LOGIN, form={"identity": "ada@example.com", "password": str(n)}, headers=ELSEWHERE)

    tricks = (unrelated, other_header, same_network, other_networks, forwarded, other_browser, other_name, form)
    for trick in tricks:
        found = [await trick(n) for n in range(100)] + list(await asyncio.gather(*(trick(n) for n in range(25))))
        sizes[trick.__name__] = looked_at(found)
        answers += found
        await town.expect(town.log_in("ada", HOME))

    print(f"{looked_at(answers)} of {len(answers)} looked at: {sizes}")  # noqa: T201
    assert len(answers) == 1000
    assert 1 <= looked_at(answers) <= 10
    assert (await town.log_in("ada", ELSEWHERE)).status == 429


async def test_batches_let_nobody_in(town: Town):
    """A log-in is nothing that a batch does."""
    item = {"method": "POST", "url": LOGIN, "body": {"identity": "ada@example.com", "password": PASSWORD}}

    answer = await town.client.post("/api/batch", {"requests": [item] * 20}, headers=ELSEWHERE)
    assert answer.status == 400
    assert answer.json["data"]["requests"]["0"]["response"]["status"] == 400
    assert "token" not in answer.text


async def test_all_at_once(town: Town):
    """Before any of them is found to be wrong, no more are under way than may be wrong."""
    assert looked_at(list(await asyncio.gather(*(town.guess("ada") for _ in range(30))))) == MOST_BY_STRANGERS


async def test_nobody_is_guessed_at_like_somebody(town: Town):
    """Who tries an address that nobody has is told the same, in every spelling."""
    for name in ("ada", "nobody"):
        answers = [await town.guess(name) for _ in range(MOST_BY_STRANGERS + 2)]
        assert [answer.status for answer in answers] == [400] * MOST_BY_STRANGERS + [429] * 2
        assert [answer.body for answer in answers[-2:]] == [answers[-1].body] * 2
    assert (await town.guess("nobody", identity="NICK")).status == 400


async def test_a_device_has_tries_of_its_own(town: Town):
    """As many as strangers have together, and they use up none of these."""
    assert looked_at([await town.guess("ada") for _ in range(10)]) == MOST_BY_STRANGERS
    assert looked_at([await town.guess("ada", HOME) for _ in range(10)]) == MOST_BY_A_DEVICE
    assert (await town.log_in("ada", HOME)).status == 429


async def test_who_is_signed_in_is_no_stranger(town: Town):
    """A token of the account is as good as its device."""
    token = (await town.log_in("ada", HOME)).json["token"]
    assert looked_at([await town.guess("ada") for _ in range(6)]) == MOST_BY_STRANGERS

    assert (await town.log_in("ada", ELSEWHERE, as_=token)).status == 200
    assert (await town.log_in("ada", {**ELSEWHERE, "x-real-ip": "203.0.113.1"})).status == 429


async def test_right_ones_are_not_counted(town: Town):
    """However many there are, at once or after wrong ones."""
    await town.guess("ada")
    for _ in range(8):
        assert (await town.log_in("ada", {**ELSEWHERE, "user-agent": "x"})).status == 200
    answers = await asyncio.gather(*(town.log_in("ada", {**ELSEWHERE, "x-real-ip": f"192.0.2.{n}"}) for n in range(8)))

    assert [answer.status for answer in answers] == [200] * 8
    assert looked_at([await town.guess("ada") for _ in range(10)]) == MOST_BY_STRANGERS - 1


async def test_one_password_on_many_accounts(town: Town, monkeypatch: pytest.MonkeyPatch):
    """Wrong ones of a network are counted over all accounts, but not those of known devices and excluded addresses."""
    monkeypatch.setattr(password_guesses, "MOST_BY_A_NETWORK", 6)
    assert looked_at([await town.guess(f"somebody{n}") for n in range(10)]) == 6
    assert (await town.guess("ada", {**ELSEWHERE, "x-real-ip": "2001:db8:1:3::1"})).status == 400
    assert (await town.guess("ada", ELSEWHERE)).status == 429
    await town.expect(town.log_in("ada", HOME))

    excluded = {"rateLimits": {"excludedIPs": ["2001:db8:1:2::/64"]}}
    await town.expect(town.client.patch("/api/settings", excluded, as_=town.root))
    assert looked_at([await town.guess(f"other{n}") for n in range(10)]) == 10


async def test_superusers_are_guessed_at_no_more(town: Town):
    """They are accounts like others."""
    guess = {"identity": "root@example.com", "password": "wrong"}
    answers = [
        await town.client.post("/api/collections/_superusers/auth-with-password", guess, headers=ELSEWHERE)
        for _ in range(10)
    ]

    assert looked_at(answers) == MOST_BY_STRANGERS


async def test_old_passwords_are_counted(town: Town):
    """Who may change an account by its password until now cannot find that out by trying, alone or in a batch."""
    records = f"{MEMBERS}/records"
    await town.expect(town.client.patch(MEMBERS, {"updateRule": ""}, as_=town.root))
    found = await town.client.get(f"{records}?filter=nick='Ada'", as_=town.root)
    url = f"{records}/{found.json['items'][0]['id']}"
    new = {"password": "another-horse-9", "passwordConfirm": "another-horse-9"}

    answers = [await town.client.patch(url, {**new, "oldPassword": f"guess {number}"}) for number in range(20)]
    assert looked_at(answers) == MOST_BY_A_DEVICE
    assert answers[0].json["data"]["oldPassword"]["code"] == "validation_invalid_old_password"

    right = {**new, "oldPassword": PASSWORD}
    assert (await town.client.patch(url, right)).status == 429
    batch = await town.client.post("/api/batch", {"requests": [{"method": "PATCH", "url": url, "body": right}]})
    assert batch.status == 400
    assert batch.json["data"]["requests"]["0"]["response"]["status"] == 429
    await town.expect(town.log_in("ada", HOME))  # she is not kept out by it
    await town.expect(town.client.patch(url, new, as_=town.root))
    await town.expect(town.client.patch(url, {**right, "oldPassword": "another-horse-9"}))


async def test_who_may_not_change_an_account_tries_nothing(town: Town):
    """No guess of theirs is looked at: they hear the same of every one, and use up none of its owner's."""
    rule = {"updateRule": "id = @request.auth.id"}
    await town.expect(town.client.patch(MEMBERS, rule, as_=town.root))
    found = await town.client.get(f"{MEMBERS}/records?filter=nick='Ada'", as_=town.root)
    url = f"{MEMBERS}/records/{found.json['items'][0]['id']}"
    new = {"password": "another-horse-9", "passwordConfirm": "another-horse-9"}

    guesses = ["wrong"] * MOST_BY_A_DEVICE + [PASSWORD]
    answers = [await town.client.patch(url, {**new, "oldPassword": guess}) for guess in guesses]

    assert {(answer.status, answer.text) for answer in answers} == {(404, answers[0].text)}
    token = (await town.log_in("ada", HOME)).json["token"]
    assert (await town.client.patch(url, {**new, "oldPassword": PASSWORD}, as_=token)).status == 200


async def test_a_right_old_password_is_not_counted(town: Town):
    """Changing a password often is nobody's guessing."""
    records = f"{MEMBERS}/records"
    await town.expect(town.client.patch(MEMBERS, {"updateRule": ""}, as_=town.root))
    found = await town.client.get(f"{records}?filter=nick='Ada'", as_=town.root)
    url, old = f"{records}/{found.json['items'][0]['id']}", PASSWORD
    for number in range(2 * MOST_BY_A_DEVICE):
        new = f"another-horse-{number}"
        body = {"password": new, "passwordConfirm": new, "oldPassword": old}
        await town.expect(town.client.patch(url, body))
        old = new


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("kay@example.com", "KAY@example.com"),
        ("Kay@Example.com", "kay@example.com"),
        ("kay@example.com", "\u212aay@example.com"),  # the sign of Kelvin, a K in lower case
        ("kay", "KAY"),
    ],
)
async def test_spellings_tell_nothing(town: Town, first: str, then: str):
    """Of an account and of none as many guesses are looked at, however the last one is spelled."""

    async def outcome() -> int:
        for _ in range(MOST_BY_STRANGERS):
            assert (await town.guess("", identity=first)).status == 400
        return (await town.guess("", identity=then)).status

    before = await outcome()
    await town.client.backend.engine.write(lambda tx: tx.run('DELETE FROM "_rations"'))
    await town.join("kay")

    assert await outcome() == before
