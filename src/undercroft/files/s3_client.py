"""Connections to a bucket: what waits how long, and how often it is tried again."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from obstore.store import S3Store

from undercroft.files.s3_bucket import Bucket, Keys
from undercroft.files.s3_errors import FAULTS, is_passing, told

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential

Result = TypeVar("Result")

_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_NOWHERE: Final = "http://127.0.0.1:0"  # nobody can listen there
_CONNECT: Final = 5.0
_TRANSFERS: Final = 3.0  # a transfer may take so many times as long as another request
_PART_TRIES: Final = 2
_LARGE_AT_ONCE: Final = 3
_DAY: Final = timedelta(days=1)
_PAUSES: Final = (0.1, 0.4)
_MOST: Final = 10.0
_EARNED: Final = 0.1


class Budget:
    """How many requests may be tried again: ten, and one more for each ten that work.

    While the storage is down, it is not asked three times as often as when it is up.
    """

    def __init__(self) -> None:
        self._left = _MOST

    def earn(self) -> None:
        """A request worked."""
        self._left = min(_MOST, self._left + _EARNED)

    @property
    def has_left(self) -> bool:
        """Whether a request may be tried again."""
        return self._left >= 1

    def spend(self) -> bool:
        """Whether one may be tried again; if so, that is counted."""
        may = self.has_left
        self._left -= may
        return may


@dataclass(frozen=True, slots=True)
class Clients:
    """Ways to one bucket: for short requests, for sending files, and for reading them for as long as it takes.

    The parts of a large file are tried again one by one, by `sending`; `sending_once` is for when nothing may be.
    """

    quick: S3Store
    sending: S3Store
    sending_once: S3Store
    reading: S3Store
    anonymous: S3Store
    budget: Budget = field(default_factory=Budget)
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_LARGE_AT_ONCE))

    async def attempt(self, work: Callable[[], Awaitable[Result]], key: str = "") -> Result:
        """Do some work that may be done twice; again when it fails and the budget allows. Raises `told` errors."""
        for pause in _PAUSES:
            try:
                return await self._once(work)
            except FAULTS as error:
                if not is_passing(error) or not self.budget.spend():
                    raise told(error, key) from None  # the text of the cause quotes whole answers
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that many do not come at once
        try:
            return await self._once(work)
        except FAULTS as error:
            raise told(error, key) from None

    async def _once(self, work: Callable[[], Awaitable[Result]]) -> Result:
        result = await work()
        self.budget.earn()
        return result


def connect(bucket: Bucket) -> Clients:
    """Clients of a bucket; nothing is asked yet."""
    transfer = timedelta(seconds=bucket.timeout * _TRANSFERS)
    return Clients(
        quick=_client(bucket, {"timeout": timedelta(seconds=bucket.timeout)}),
        sending=_client(bucket, {"timeout": transfer}, _PART_TRIES),
        sending_once=_client(bucket, {"timeout": transfer}),
        reading=_client(bucket, {"timeout": _DAY, "read_timeout": timedelta(seconds=bucket.timeout)}),
        anonymous=_client(bucket, {"timeout": timedelta(seconds=bucket.timeout)}, is_signed=False),
    )


def _client(bucket: Bucket, limits: ClientConfig, tries: int = 0, *, is_signed: bool = True) -> S3Store:
    # Said in full, so that no variable of the environment decides.
    config: S3Config = {
        "endpoint": bucket.root,
        "aws_endpoint_url_s3": bucket.root,
        "region": bucket.region,
        "virtual_hosted_style_request": not bucket.is_path_style,
        "skip_signature": not is_signed,
        "unsigned_payload": False,
    }
    common: ClientConfig = {
        "allow_http": bucket.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=min(_CONNECT, bucket.timeout)),
        **_stay_there(bucket),
    }
    return S3Store(
        bucket.name,
        prefix=bucket.prefix.rstrip("/") or None,
        config=config,
        client_options=common | limits,
        retry_config={"max_retries": tries, "retry_timeout": timedelta(seconds=bucket.timeout * _TRANSFERS)},
        credential_provider=lambda: _credential(bucket.keys),
    )


def _stay_there(bucket: Bucket) -> ClientConfig:
    """What keeps the client from being sent to another host: all others are behind a proxy that is none."""
    if any(name.lower() in _PROXIES and value for name, value in os.environ.items()):
        return {}  # there is a real one, and it says who may go where
    host = urlsplit(bucket.root).hostname or ""
    return {"proxy_url": _NOWHERE, "proxy_excludes": host}


def _credential(keys: Keys) -> S3Credential:
    return {
        "access_key_id": keys.access_key,
        "secret_access_key": keys.secret,
        "token": keys.token or None,
        "expires_at": None,
    }
