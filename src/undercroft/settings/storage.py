"""The buckets that are set."""

from __future__ import annotations

from undercroft.files.s3_bucket import Bucket, Keys, make_bucket
from undercroft.settings.settings import S3


def find_bucket(s3: S3) -> Bucket | None:
    """The bucket of a group of settings, if it is to be used. Raises `BadBucket`."""
    if not s3.enabled:
        return None
    keys = Keys(s3.access_key, s3.secret)
    return make_bucket(s3.bucket, keys, endpoint=s3.endpoint, region=s3.region, is_path_style=s3.force_path_style)
