"""An address at which a bucket itself gives out one file, for a minute at most (AWS Signature 4, in the query)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from undercroft.files.s3_bucket import LONGEST_LINK, Bucket

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"


def sign_link(bucket: Bucket, key: str, seconds: int, headers: Mapping[str, str]) -> str:
    """The address of a file. Its answer has the given headers, such as `content-type`, whatever is stored with it."""
    now = datetime.now(UTC)
    scope = f"{now:%Y%m%d}/{bucket.region}/s3/aws4_request"
    query = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{bucket.keys.access_key}/{scope}",
        "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(min(seconds, LONGEST_LINK)),
        "X-Amz-SignedHeaders": "host",
        **{f"response-{name}": value for name, value in headers.items()},
    }
    if bucket.keys.token:
        query["X-Amz-Security-Token"] = bucket.keys.token
    path = quote(f"{bucket.path}{bucket.prefix}{key}", safe="/" + _UNRESERVED)
    told = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(query.items()))
    host = bucket.root.partition("://")[2]
    asked = f"GET\n{path}\n{told}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"{_ALGORITHM}\n{query['X-Amz-Date']}\n{scope}\n{sha256(asked.encode()).hexdigest()}"
    signature = hmac.new(_signing_key(bucket, scope), text.encode(), sha256).hexdigest()
    return f"{bucket.root}{path}?{told}&X-Amz-Signature={signature}"


def _signing_key(bucket: Bucket, scope: str) -> bytes:
    key = f"AWS4{bucket.keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _quoted(text: str) -> str:
    return quote(text, safe=_UNRESERVED)
