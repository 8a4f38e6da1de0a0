"""Every kind of secret that the server itself keeps, put down somewhere, with a word that can be looked for."""

from __future__ import annotations

import time

from undercroft.auth.totp_codes import PERIOD, code_at
from undercroft.jobs.job import Order
from undercroft.jobs.queue import enqueue

USERS = "/api/collections/users"
ALL = ("listRule", "viewRule", "createRule", "updateRule", "deleteRule")
WORDS = {
    name: f"{name}-canary-7Q"
    for name in ("smtp", "bucket", "backup", "client", "value", "mail", "job", "answer", "letter", "filter")
}


async def furnish(client, root):
    """Put all of them down."""
    await set_secrets(client, root)
    mail = {"name": "mail", "type": "email", "encrypted": {"search": "equality"}}
    fields = [mail, {"name": "text", "type": "text", "encrypted": True}]
    body = {"name": "notes", "type": "base", "fields": fields, **dict.fromkeys(ALL, "")}
    assert (await client.post("/api/collections", body, as_=root)).status == 200
    record = {"text": WORDS["value"], "mail": f"{WORDS['mail']}@example.com"}
    async with client.listen("notes/*") as listener:
        headers = {"Idempotency-Key": "once"}
        await client.post("/api/collections/notes/records", record, headers=headers)
        await client.get("/api/collections/notes/records", filter=f"mail = '{WORDS['filter']}@example.com'")
        await listener.event()
    await client.post("/api/collections/users/request-otp", {"email": f"{WORDS['letter']}@example.com"})
    order = Order(id="job1", name="nobody", arguments=f'{{"text": "{WORDS["job"]}"}}', tries=1, delay=3600.0)
    engine = client.backend.engine
    await engine.write(lambda tx: enqueue(tx, engine.dialect, order))


async def set_secrets(client, root):
    """Everything an operator can set that is secret."""
    s3 = {"bucket": "b", "endpoint": "http://127.0.0.1:1", "region": "r", "accessKey": "a", "secret": WORDS["bucket"]}
    settings = {
        "smtp": {"enabled": True, "host": "127.0.0.1", "port": 1, "username": "u", "password": WORDS["smtp"]},
        "s3": s3,
        "backups": {"s3": s3 | {"secret": WORDS["backup"]}},
    }
    assert (await client.patch("/api/settings", settings, as_=root)).status == 200
    provider = {"name": "google", "clientId": "me", "clientSecret": WORDS["client"]}
    users = {"oauth2": {"enabled": True, "providers": [provider]}, "otp": {"enabled": True}}
    assert (await client.patch("/api/collections/users", users, as_=root)).status == 200
    account = {"email": f"{WORDS['letter']}@example.com", "password": "password-1", "passwordConfirm": "password-1"}
    assert (await client.post("/api/collections/users/records", account, as_=root)).status == 200


async def set_up_app(client, root):
    """An account with an authenticator app: its id, its token, its secret, and its recovery codes."""
    assert (await client.patch(USERS, {"totp": {"enabled": True}}, as_=root)).status == 200
    secret = {"password": "password-1", "passwordConfirm": "password-1"}
    body = {"email": "ada@example.com", "verified": True, **secret}
    record = (await client.post(f"{USERS}/records", body, as_=root)).json["id"]
    login = {"identity": "ada@example.com", "password": "password-1"}
    token = (await client.post(f"{USERS}/auth-with-password", login)).json["token"]
    seed = (await client.post(f"{USERS}/request-totp", {}, as_=token)).json["secret"]
    code = code_at(seed, int(time.time()) // PERIOD)
    answer = await client.post(f"{USERS}/confirm-totp", {"code": code}, as_=token)
    assert answer.status == 200, answer.text
    return record, token, seed, answer.json["recoveryCodes"]
