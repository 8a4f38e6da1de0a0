"""POST /api/batch: several writes, in order, in one transaction."""

from __future__ import annotations

import re
from asyncio import create_task, shield
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from undercroft.api.batch_files import Files, files_by_request, wanted_of_batch
from undercroft.api.once import answer_once
from undercroft.api.rates import check_rate_of_item
from undercroft.api.records import access_of
from undercroft.api.upload_references import let_go, redeem
from undercroft.collections.catalog import Catalog
from undercroft.collections.collection import Collection
from undercroft.database.engine import Transaction
from undercroft.errors import BadRequest, FieldError, Forbidden, Invalid, Problem, Unavailable, Unreadable
from undercroft.http.body import MIB, Body
from undercroft.http.fields import parse_fields, pick
from undercroft.http.query import parse_query
from undercroft.http.request import Request
from undercroft.http.response import Response, json_bytes
from undercroft.query.scope import Scope
from undercroft.records.access import Access
from undercroft.records.answered import Answer, Mark, keep_answer
from undercroft.records.draft import Draft
from undercroft.records.enrich import enrich, is_enriched
from undercroft.records.host import Work
from undercroft.records.involvement import Action
from undercroft.records.prepare import Desk, Prepared, prepare_write
from undercroft.records.read import show_stored
from undercroft.records.record import find_record
from undercroft.records.saving import involved, transact
from undercroft.records.unit import Unit
from undercroft.records.write import Writer

DEFAULT_BODY: Final = 128 * MIB
LONGEST_URL: Final = 2000
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_URL: Final = re.compile(r"/api/collections/(?P<collection>[^/?]+)/records(?:/(?P<id>[^/?]+))?(?:\?(?P<query>.*))?")
_ACTIONS: Final = {
    ("POST", False): "create",
    ("PUT", False): "upsert",
    ("PATCH", True): "update",
    ("DELETE", True): "delete",
}
_OURS: Final = (Unreadable, Unavailable)
"""What is no fault of a request: the batch as a whole is answered with it."""
_WIRE_METHODS: Final = {"create": "POST", "upsert": "POST", "update": "PATCH", "delete": "DELETE"}


class BatchOff(Forbidden):
    """The settings do not allow batches."""

    code = "batch_off"
    default = "Batch requests are not allowed."


class BadBatch(Invalid):
    """The list of requests is not one."""

    code = "bad_batch"
    default = "Invalid batch request data."


class BatchFailed(BadRequest):
    """One of the requests failed, so none was done."""

    code = "batch_failed"
    default = "Batch transaction failed."

    def __init__(self, index: int = -1, problem: Problem | None = None) -> None:
        failed = {"code": "batch_request_failed", "message": "Batch request failed.", "response": problem}
        super().__init__("", {"requests": {str(index): failed}} if problem else {})


class NoSuchRequest(BadRequest):
    """A request in a batch that batches cannot do."""

    code = "no_such_batch_request"
    default = "Unknown batch request action."


class Item(msgspec.Struct, frozen=True):
    """One request of a batch, as it came."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = {}
    body: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a batch, understood and prepared."""

    action: str
    collection: Collection
    record_id: str
    query: Mapping[str, str]
    access: Access
    prepared: Prepared | None = None


async def batch(request: Request) -> Response:
    """POST /api/batch"""
    options = request.backend.settings.batch
    if not options.enabled:
        raise BatchOff
    intake = request.backend.staging.intake(wanted_of_batch(request.backend.catalog))
    body = await request.body(options.max_body_size or DEFAULT_BODY, intake)
    return await answer_once(request, body, lambda mark: _answer(request, body, mark))


async def _answer(request: Request, body: Body, mark: Mark | None) -> Response:
    work = _perform(request, body, mark)
    # Files are put and taken back beside the database: that is finished also when the caller goes away.
    return json_bytes(await (shield(create_task(work)) if body.files else work))


async def _perform(request: Request, body: Body, mark: Mark | None) -> bytes:
    steps: list[Step] = []
    options = request.backend.settings.batch
    try:
        items = read_items(body.data, options.max_requests)
        files = files_by_request(body.files)
        deadline = monotonic() + options.timeout
        for index, item in enumerate(items):
            _keep_time(deadline)
            steps.append(await _prepared(request, index, item, files.get(index, {})))
        placed = [file for step in steps if step.prepared for file in step.prepared.placed]
        async with request.backend.filing.holding(placed):
            return await _run(request, steps, deadline, mark)
    finally:
        prepared = [upload for step in steps if step.prepared for upload in step.prepared.uploads]
        await let_go(request, [*body.uploads, *prepared])


def read_items(data: Mapping[str, Any], limit: int) -> list[Item]:
    """The requests of a batch. Raises `BadBatch`."""
    try:
        items = msgspec.convert(data.get("requests") or [], list[Item])
    except msgspec.ValidationError as error:
        raise BadBatch({}, "") from error
    if not items:
        raise BadBatch({"requests": FieldError("validation_required", "Cannot be blank.")})
    if len(items) > limit:
        text = f"The length must be no more than {limit}."
        raise BadBatch({"requests": FieldError("validation_length_too_long", text, {"max": limit, "min": 0})})
    errors = {str(index): found for index, item in enumerate(items) if (found := _check(item))}
    if errors:
        raise BadBatch({"requests": errors})
    return items


def _check(item: Item) -> dict[str, FieldError]:
    errors: dict[str, FieldError] = {}
    required = FieldError("validation_required", "Cannot be blank.")
    if item.method not in _METHODS:
        errors["method"] = FieldError("validation_in_invalid", "Must be a valid value.") if item.method else required
    if not item.url:
        errors["url"] = required
    elif len(item.url) > LONGEST_URL:
        text = f"The length must be no more than {LONGEST_URL}."
        errors["url"] = FieldError("validation_length_too_long", text, {"max": LONGEST_URL, "min": 0})
    return errors


async def _prepared(request: Request, index: int, item: Item, files: Files) -> Step:
    try:
        return await _prepare(request, item, files)
    except _OURS:
        raise
    except Problem as problem:
        raise BatchFailed(index, problem) from problem


async def _prepare(request: Request, item: Item, files: Files) -> Step:
    step = understand(item, request.backend.catalog, access_of(request))
    if step.action == "delete":
        check_rate_of_item(request, step.collection, "delete", step.record_id)
        return step
    access, collection = step.access, step.collection
    record_id = step.record_id if step.action == "update" else str(item.body.get("id") or "")
    is_known = step.action == "update"
    if step.action == "upsert" and record_id:
        is_known = await find_record(access.run, access.dialect, collection, {"id": record_id}) is not None
    check_rate_of_item(request, collection, "update" if is_known else "create", record_id)
    desk = Desk(access, request.backend.counted_passwords)
    body = await redeem(request, collection, Body(item.body, files))
    prepared = await prepare_write(desk, collection, record_id if is_known else None, body.data, body.files)
    return replace(step, record_id=record_id, prepared=prepared)


def understand(item: Item, catalog: Catalog, access: Access) -> Step:
    """What a request of a batch wants. Raises `NoSuchRequest` and `UnknownCollection`."""
    found = _URL.fullmatch(item.url)
    action = _ACTIONS.get((item.method, bool(found and found["id"])))
    if found is None or action is None:
        raise NoSuchRequest
    query = parse_query((found["query"] or "").encode())
    own = {name.lower().replace("-", "_"): value for name, value in item.headers.items()}
    own.pop("authorization", None)
    scope = Scope(access.scope.identity, "batch", _WIRE_METHODS[action], query, {**access.scope.headers, **own})
    collection = catalog.collection(unquote(found["collection"]))
    return Step(action, collection, unquote(found["id"] or ""), query, access.asking(scope))


async def _run(request: Request, steps: list[Step], deadline: float, mark: Mark | None) -> bytes:
    work = Work(request.backend, request)

    async def operation(transaction: Transaction, unit: Unit | None) -> bytes:
        answers: list[dict[str, Any]] = []
        for index, step in enumerate(steps):
            _keep_time(deadline)
            writer = Writer(step.access.through(transaction.run), transaction, unit)
            try:
                answer = await _do(writer, step)
                # Hooks that say what records show see all of them, and fields are picked after that.
                answers.append(answer if is_enriched(work) else _picked(answer, step))
            except _OURS:
                raise
            except Problem as problem:
                raise BatchFailed(index, problem) from problem
        shown = msgspec.json.encode(answers)
        if mark is not None:
            await keep_answer(transaction, request.backend.engine.dialect, mark, Answer(200, shown.decode()))
        return shown

    how = involved(work, *(deed for step in steps for deed in _deeds(step)))
    shown = await transact(work, how, operation, seconds=max(deadline - monotonic(), work.host.hooks.seconds))
    return await _enriched(work, steps, shown) if is_enriched(work) else shown


async def _enriched(work: Work, steps: list[Step], shown: bytes) -> bytes:
    answers: list[dict[str, Any]] = await enrich(work, steps[0].access, msgspec.json.decode(shown))
    return msgspec.json.encode([_picked(answer, step) for answer, step in zip(answers, steps, strict=True)])


def _picked(answer: dict[str, Any], step: Step) -> dict[str, Any]:
    fields = step.query.get("fields", "")
    return {**answer, "body": pick(answer["body"], parse_fields(fields))} if fields and answer["body"] else answer


def _deeds(step: Step) -> Iterator[tuple[Action, Collection]]:
    """What a request may turn out to do."""
    if step.action in ("create", "upsert"):
        yield "create", step.collection
    if step.action in ("update", "upsert"):
        yield "update", step.collection
    if step.action == "delete":
        yield "delete", step.collection


def _keep_time(deadline: float) -> None:
    if monotonic() > deadline:
        raise BatchFailed


async def _do(writer: Writer, step: Step) -> dict[str, Any]:
    if step.action == "delete" or step.prepared is None:
        await writer.delete(step.collection, step.record_id)
        return {"body": None, "status": 204}
    draft = await _create_or_update(writer, step, step.prepared)
    shown = await show_stored(writer.access, step.collection, draft.columns(), step.query.get("expand", ""))
    return {
        "body": msgspec.json.decode(msgspec.json.encode(shown)) if step.query.get("fields") else shown,
        "status": 200,
    }


async def _create_or_update(writer: Writer, step: Step, prepared: Prepared) -> Draft:
    access, record_id = writer.access, step.record_id
    exists = step.action == "update"
    if step.action == "upsert" and record_id:
        exists = await find_record(access.run, access.dialect, step.collection, {"id": record_id}) is not None
    if not exists:
        return await writer.create(step.collection, prepared)
    # An update by upsert is a PATCH to whoever asks.
    if step.action == "upsert":
        writer.access = access.asking(replace(access.scope, method="PATCH"))
    return await writer.update(step.collection, record_id, prepared)
