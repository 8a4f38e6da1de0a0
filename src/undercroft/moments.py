"""What a site's hooks are bound with: `from undercroft import on, route, mount`.

`on` has every moment there is, with when exactly hooks are called then; `docs/reference/hooks.md` is made from it.
"""

from __future__ import annotations

from typing import Final

from undercroft.account_moments import AccountMoments
from undercroft.api.app_events import AppEvent
from undercroft.api.collection_events import CollectionEvent
from undercroft.api.job_events import JobRun
from undercroft.api.mail_events import MailerSend
from undercroft.api.own_requests import RouteRequest
from undercroft.api.own_routes import MountDecorator, RouteDecorators
from undercroft.api.request_events import RequestEvent
from undercroft.auth.events import RecordAuth, RecordAuthWithOAuth2
from undercroft.auth.letter_events import MailerRecordSend
from undercroft.hooks.hook import Event
from undercroft.hooks.moment import InItsModule, Moment, TaggedMoment
from undercroft.jobs.declare import CronDecorator, JobDecorator
from undercroft.jobs.webhook import WebhookDecorator
from undercroft.realtime.events import RealtimeMessage
from undercroft.records.events import (
    RecordCreate,
    RecordCreated,
    RecordDelete,
    RecordDeleted,
    RecordEnrich,
    RecordFailed,
    RecordUpdate,
    RecordUpdated,
    RecordValidate,
)
from undercroft.records.model_events import ModelEvent
from undercroft.request_moments import RequestMoments

__all__ = [
    "AppEvent",
    "CollectionEvent",
    "Event",
    "JobRun",
    "MailerRecordSend",
    "MailerSend",
    "ModelEvent",
    "On",
    "RealtimeMessage",
    "RecordAuth",
    "RecordAuthWithOAuth2",
    "RecordCreate",
    "RecordCreated",
    "RecordDelete",
    "RecordDeleted",
    "RecordEnrich",
    "RecordFailed",
    "RecordUpdate",
    "RecordUpdated",
    "RecordValidate",
    "RequestEvent",
    "RouteRequest",
    "cron",
    "job",
    "mount",
    "on",
    "route",
    "webhook",
]

_LETTER: Final = (
    "Before a letter {} is put into the outbox, once {}. `letter` can be replaced; what is refused is not sent, and "
    "nobody hears of that."
)
_TWIN: Final = "Around `record_{0}` (by the name of its collection) and `collection_{0}` (by the name `_collections`)."
_TWIN_AFTER: Final = "Just before `record_{0}` and `collection_{0}`, with names as above."


class On(AccountMoments, RequestMoments):
    """Every moment at which hooks are called."""

    bootstrap = Moment(
        AppEvent,
        "When the database is open, with its format and its settings, and the hooks are loaded: before jobs are done, "
        "letters are sent and changes of other processes are followed, in every process. "
        "What it raises keeps the server from starting.",
    )

    serve = Moment(
        AppEvent,
        "When all is open and before the first request is answered, in every process. "
        "What it raises keeps the server from starting.",
    )

    stop = Moment(
        AppEvent,
        "When the server ends, before anything is closed; 5 seconds at most. What it raises is logged.",
    )

    settings_reload = Moment(
        AppEvent,
        "Once other settings count, in every process, whichever of them changed them. What it raises is logged.",
    )

    record_create = TaggedMoment(
        RecordCreate,
        "In the transaction, once the create rule has allowed it. Before `next()` the record can be changed; "
        "after it, it is checked and written, and not yet durable.",
    )

    record_create_execute = TaggedMoment(
        RecordCreate,
        "In the transaction, around the statement alone: the record was checked, and what is changed now is not.",
    )

    record_update = TaggedMoment(
        RecordUpdate,
        "In the transaction, once the update rule has allowed it. Before `next()` the record can be changed; "
        "after it, it is checked and written, and not yet durable.",
    )

    record_update_execute = TaggedMoment(
        RecordUpdate,
        "In the transaction, around the statement alone: the record was checked, and what is changed now is not.",
    )

    record_delete = TaggedMoment(
        RecordDelete,
        "In the transaction, once the delete rule has allowed it. Before `next()` the record and all that hangs on it "
        "are there; after it, they are gone, and not yet for good.",
    )

    record_delete_execute = TaggedMoment(
        RecordDelete,
        "In the transaction, around the statement alone: what hung on the record is gone by then.",
    )

    record_validate = TaggedMoment(
        RecordValidate,
        "In the transaction, around the check of a record that is created or changed. "
        "After `next()`, `errors` has what is wrong; `add_error` adds to it at any time.",
    )

    record_created = TaggedMoment(
        RecordCreated,
        "Once it is durable, and before the caller is answered. What it raises is logged, and changes nothing.",
    )

    record_updated = TaggedMoment(
        RecordUpdated,
        "Once it is durable, and before the caller is answered. What it raises is logged, and changes nothing.",
    )

    record_deleted = TaggedMoment(
        RecordDeleted,
        "Once it is durable, and before the caller is answered. What it raises is logged, and changes nothing.",
    )

    record_create_failed = TaggedMoment(
        RecordFailed,
        "Once a create that had reached `record_create` was undone, whatever the reason: refused values, a hook, "
        "the database, a later request of the same batch.",
    )

    record_update_failed = TaggedMoment(
        RecordFailed,
        "Once an update that had reached `record_update` was undone, whatever the reason: refused values, a hook, "
        "the database, a later request of the same batch.",
    )

    record_delete_failed = TaggedMoment(
        RecordFailed,
        "Once a delete that had reached `record_delete` was undone, whatever the reason: refused values, a hook, "
        "the database, a later request of the same batch.",
    )

    record_enrich = TaggedMoment(
        RecordEnrich,
        "Whenever a record is about to be sent: in lists, views, answers to writes, batches, log-ins, live updates, "
        "and where it is expanded. Not for pages and hooks, which read records themselves.",
    )

    record_auth_request = TaggedMoment(
        RecordAuth,
        "Whenever an account is about to get a token, whichever way it came in; the token counts from then on. "
        "`record`, `token` and `meta` can be changed.",
    )

    collection_validate = TaggedMoment(
        CollectionEvent, "In the transaction, around the check of a collection that is created or changed."
    )

    collection_create = TaggedMoment(
        CollectionEvent,
        "In the transaction, around the check and the create of a collection, imports included. "
        "After `next()` it is done, and not yet durable.",
    )

    collection_create_execute = TaggedMoment(
        CollectionEvent, "In the transaction, around the change of the table and of the definition alone."
    )

    collection_created = TaggedMoment(
        CollectionEvent, "Once it is durable, and before the caller is answered. What it raises is logged."
    )

    collection_create_failed = TaggedMoment(CollectionEvent, "Once it was undone; `error` says why.")

    collection_update = TaggedMoment(
        CollectionEvent,
        "In the transaction, around the check and the update of a collection, imports included. "
        "After `next()` it is done, and not yet durable.",
    )

    collection_update_execute = TaggedMoment(
        CollectionEvent, "In the transaction, around the change of the table and of the definition alone."
    )

    collection_updated = TaggedMoment(
        CollectionEvent, "Once it is durable, and before the caller is answered. What it raises is logged."
    )

    collection_update_failed = TaggedMoment(CollectionEvent, "Once it was undone; `error` says why.")

    collection_delete = TaggedMoment(
        CollectionEvent,
        "In the transaction, around the delete of a collection, imports included. "
        "After `next()` it is done, and not yet durable.",
    )

    collection_delete_execute = TaggedMoment(
        CollectionEvent, "In the transaction, around the change of the table and of the definition alone."
    )

    collection_deleted = TaggedMoment(
        CollectionEvent, "Once it is durable, and before the caller is answered. What it raises is logged."
    )

    collection_delete_failed = TaggedMoment(CollectionEvent, "Once it was undone; `error` says why.")

    mailer_send = TaggedMoment(
        MailerSend,
        "Whenever a letter is about to be handed to the mail server, once for each recipient and each attempt, in the "
        "process that sends it. The names are kinds of letters: `verification`, `password-reset`, `email-change`, "
        "`otp`, `login-alert`, `account-change`, `magic-link`, `invitation`, `hook`.",
    )

    mailer_record_verification_send = TaggedMoment(
        MailerRecordSend, _LETTER.format("for a verification", "it was asked for and the account is found")
    )

    mailer_record_password_reset_send = TaggedMoment(
        MailerRecordSend, _LETTER.format("for a new password", "it was asked for and the account is found")
    )

    mailer_record_email_change_send = TaggedMoment(
        MailerRecordSend,
        "Before a letter to another address of an account is put into the outbox, once the request is checked. "
        "`letter` can be replaced; what is refused is refused to the caller, and no letter is sent.",
    )

    mailer_record_otp_send = TaggedMoment(
        MailerRecordSend, _LETTER.format("with a code", "it was asked for and the account is found")
    )

    mailer_record_auth_alert_send = TaggedMoment(
        MailerRecordSend, _LETTER.format("about a log-in from somewhere new", "the account has logged in")
    )

    realtime_message_send = Moment(
        RealtimeMessage,
        "Before a message is put in line for one client: each change that it hears, live or missed, and what else is "
        "said under its topics; not the greeting, `resync` and heartbeats. `data` can be changed. What is refused, or "
        "fails, that client does not hear. All messages of one change have `hook_seconds` together; past that who "
        "keeps a place is told to `resync`. All clients of the process wait for it.",
    )

    model_validate = TaggedMoment(ModelEvent, _TWIN.format("validate"))
    model_create = TaggedMoment(ModelEvent, _TWIN.format("create"))
    model_create_execute = TaggedMoment(ModelEvent, _TWIN.format("create_execute"))
    model_created = TaggedMoment(ModelEvent, _TWIN_AFTER.format("created"))
    model_create_failed = TaggedMoment(ModelEvent, _TWIN_AFTER.format("create_failed"))
    model_update = TaggedMoment(ModelEvent, _TWIN.format("update"))
    model_update_execute = TaggedMoment(ModelEvent, _TWIN.format("update_execute"))
    model_updated = TaggedMoment(ModelEvent, _TWIN_AFTER.format("updated"))
    model_update_failed = TaggedMoment(ModelEvent, _TWIN_AFTER.format("update_failed"))
    model_delete = TaggedMoment(ModelEvent, _TWIN.format("delete"))
    model_delete_execute = TaggedMoment(ModelEvent, _TWIN.format("delete_execute"))
    model_deleted = TaggedMoment(ModelEvent, _TWIN_AFTER.format("deleted"))
    model_delete_failed = TaggedMoment(ModelEvent, _TWIN_AFTER.format("delete_failed"))


on: Final = On(InItsModule())
route: Final = RouteDecorators(InItsModule())
mount: Final = MountDecorator(InItsModule())
job: Final = JobDecorator(InItsModule())
cron: Final = CronDecorator(InItsModule())
webhook: Final = WebhookDecorator(InItsModule())
