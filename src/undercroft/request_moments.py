"""The moments of requests, but for those about accounts."""

from __future__ import annotations

from undercroft.api.request_events import RequestEvent
from undercroft.hooks.moment import Moment, Moments, TaggedMoment


class RequestMoments(Moments):
    """Every moment of a request: around its endpoint, once it is known who asks and before any rule is asked."""

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

    realtime_connect_request = Moment(
        RequestEvent,
        "Around `GET /api/realtime`; after `next()` the stream is about to begin.",
    )

    realtime_subscribe_request = Moment(
        RequestEvent,
        "Around `POST /api/realtime`.",
    )
