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
from undercroft.auth.events import RecordAuth
from undercroft.hooks.hook import Event
from undercroft.hooks.moment import InItsModule, Moment, TaggedMoment
from undercroft.jobs.declare import CronDecorator, JobDecorator
from undercroft.jobs.webhook import WebhookDecorator
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

__all__ = [
    "AppEvent",
    "CollectionEvent",
    "Event",
    "JobRun",
    "MailerSend",
    "On",
    "RecordAuth",
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


class On(AccountMoments):
    """Every moment at which hooks are called."""

    serve = Moment(
        AppEvent,
        "When all is open and before the first request is answered, in every process. "
        "What it raises keeps the server from starting.",
    )

    stop = Moment(
        AppEvent,
        "When the server ends, before anything is closed; 5 seconds at most. What it raises is logged.",
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
        "Once a update that had reached `record_update` was undone, whatever the reason: refused values, a hook, "
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
        "`otp`, `login-alert`, `new-way-in`, `hook`.",
    )

    records_list_request = TaggedMoment(
        RequestEvent,
        "Around `GET /api/collections/NAME/records`.",
    )

    record_view_request = TaggedMoment(
        RequestEvent,
        "Around `GET /api/collections/NAME/records/ID`.",
    )

    record_create_request = TaggedMoment(
        RequestEvent,
        "Around `POST /api/collections/NAME/records`; requests in a batch have no such event of their own.",
    )

    record_update_request = TaggedMoment(
        RequestEvent,
        "Around `PATCH /api/collections/NAME/records/ID`.",
    )

    record_delete_request = TaggedMoment(
        RequestEvent,
        "Around `DELETE /api/collections/NAME/records/ID`.",
    )

    batch_request = Moment(
        RequestEvent,
        "Around `POST /api/batch`.",
    )

    file_download_request = TaggedMoment(
        RequestEvent,
        "Around `GET /api/files/NAME/ID/FILE`; what is sent cannot be changed, headers can be added.",
    )

    file_token_request = Moment(
        RequestEvent,
        "Around `POST /api/files/token`.",
    )

    collections_list_request = Moment(
        RequestEvent,
        "Around `GET /api/collections`.",
    )

    collection_view_request = TaggedMoment(
        RequestEvent,
        "Around `GET /api/collections/NAME`.",
    )

    collection_update_request = TaggedMoment(
        RequestEvent,
        "Around `PATCH /api/collections/NAME`.",
    )

    collection_delete_request = TaggedMoment(
        RequestEvent,
        "Around `DELETE /api/collections/NAME`.",
    )

    collection_create_request = Moment(
        RequestEvent,
        "Around `POST /api/collections`.",
    )

    collections_import_request = Moment(
        RequestEvent,
        "Around `PUT /api/collections/import`.",
    )

    settings_list_request = Moment(
        RequestEvent,
        "Around `GET /api/settings`.",
    )

    settings_update_request = Moment(
        RequestEvent,
        "Around `PATCH /api/settings`.",
    )

    settings_reload = Moment(
        AppEvent,
        "Once other settings count, in every process, whichever of them changed them. What it raises is logged.",
    )

    realtime_connect_request = Moment(
        RequestEvent,
        "Around `GET /api/realtime`; after `next()` the stream is about to begin.",
    )

    realtime_subscribe_request = Moment(
        RequestEvent,
        "Around `POST /api/realtime`.",
    )


on: Final = On(InItsModule())
route: Final = RouteDecorators(InItsModule())
mount: Final = MountDecorator(InItsModule())
job: Final = JobDecorator(InItsModule())
cron: Final = CronDecorator(InItsModule())
webhook: Final = WebhookDecorator(InItsModule())
