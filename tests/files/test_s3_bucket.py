"""How a bucket is named, and where one may not be."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from s3_server import KEYS

from undercroft.files.s3_bucket import BadBucket, parse_bucket
from undercroft.files.s3_guard import guarded, is_forbidden
from undercroft.files.store import StoreUnavailable


@pytest.mark.parametrize(
    ("url", "root", "path", "prefix"),
    [
        ("s3://photos", "https://s3.us-east-1.amazonaws.com", "/", ""),
        ("s3://photos/", "https://s3.us-east-1.amazonaws.com", "/", ""),
        ("s3://photos/a/b", "https://s3.us-east-1.amazonaws.com", "/", "a/b/"),
        ("s3://photos/a/b/?region=eu-west-1", "https://s3.eu-west-1.amazonaws.com", "/", "a/b/"),
        ("s3://photos?region=eu-west-1&path_style=true", "https://s3.eu-west-1.amazonaws.com", "/photos/", ""),
        ("s3://photos?endpoint=https://minio.example.com:9000", "https://minio.example.com:9000", "/photos/", ""),
        ("s3://photos?endpoint=minio.example.com/", "https://minio.example.com", "/photos/", ""),
        ("s3://photos?endpoint=http://[::1]:9000", "http://[::1]:9000", "/photos/", ""),
        ("s3://photos?endpoint=https://r2.example.com&path_style=0", "https://r2.example.com", "/", ""),
    ],
)
def test_url(url, root, path, prefix):
    """A URL says the bucket, a folder in it, and where it is; without an endpoint it is Amazon's."""
    bucket = parse_bucket(url, KEYS)
    host = bucket.root if bucket.is_path_style else bucket.root.replace("://photos.", "://")

    assert (bucket.name, host, bucket.path, bucket.prefix) == ("photos", root, path, prefix)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("s3://", "name"),
        ("s3://x", "name"),
        ("s3://Photos", "name"),
        ("s3://pho tos", "name"),
        ("s3://photos/../x", "prefix"),
        ("s3://photos/a//b", "prefix"),
        ("s3://photos/ä", "prefix"),
        ("s3://key:hush@photos", "without keys"),
        ("s3://photos#x", "without keys"),
        ("s3://photos?endpiont=x", "'endpoint'"),
        ("s3://photos?endpoint=ftp://x", "endpoint"),
        ("s3://photos?endpoint=http://x/y", "endpoint"),
        ("s3://photos?endpoint=http://u:hush@x", "endpoint"),
        ("s3://photos?endpoint=http://x:port", "endpoint"),
        ("s3://photos?region=../x", "region"),
        ("s3://photos?path_style=perhaps", "true nor false"),
        ("s3://photos?timeout=-1", "timeout"),
        ("s3://photos?timeout=0", "timeout"),
        ("s3://photos?timeout=nan", "timeout"),
        ("s3://photos?signed_url=61", "signed_url"),
    ],
)
def test_refused(url, word):
    """What is wrong is refused, and no secret is repeated."""
    with pytest.raises(BadBucket) as raised:
        parse_bucket(url, KEYS)

    assert word in raised.value.message()
    assert "hush" not in raised.value.message()


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"UNDERCROFT_S3_ACCESS_KEY": "a", "UNDERCROFT_S3_SECRET": "b"}, ("a", "b", "")),
        ({"AWS_ACCESS_KEY_ID": "c", "AWS_SECRET_ACCESS_KEY": "d", "AWS_SESSION_TOKEN": "e"}, ("c", "d", "e")),
        (
            {"AWS_ACCESS_KEY_ID": "c", "AWS_SECRET_ACCESS_KEY": "d", "AWS_SESSION_TOKEN": "e"}
            | {"UNDERCROFT_S3_ACCESS_KEY": "a", "UNDERCROFT_S3_SECRET": "b"},
            ("a", "b", ""),
        ),
    ],
)
def test_keys(environment, found):
    """Our variables win over those of Amazon's tools."""
    keys = parse_bucket("s3://photos", environment).keys

    assert (keys.access_key, keys.secret, keys.token) == found


@pytest.mark.parametrize("environment", [{}, {"UNDERCROFT_S3_ACCESS_KEY": "a"}, {"AWS_ACCESS_KEY_ID": "c"}])
def test_without_keys(environment):
    """A bucket without its keys is refused with what to set."""
    with pytest.raises(BadBucket, match="UNDERCROFT_S3_SECRET"):
        parse_bucket("s3://photos", environment)


def test_keys_are_not_shown():
    """However a bucket is printed, its keys are not in it."""
    bucket = parse_bucket("s3://photos", KEYS)

    assert not [text for text in (repr(bucket), str(bucket.keys), bucket.url) for key in KEYS.values() if key in text]


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.0.1", "169.254.170.2", "fe80::1", "fe80::a9fe:a9fe", "fd00:ec2::254"),
        *("::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "2002:a9fe:a9fe::", "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe"),
        *("64:ff9b::169.254.169.254", "64:ff9b:1::169.254.169.254", "::169.254.169.254", "::a9fe:a9fe"),
        *("0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "64:ff9b::", "2002::"),  # noqa: S104 - refused, not bound
        *("224.0.0.1", "239.255.255.250", "ff02::1", "255.255.255.255", "240.0.0.1", "::ffff:224.0.0.1"),
    ],
)
def test_addresses_that_no_storage_has(address):
    """Metadata services, multicast and nowhere are refused, however the address is dressed."""
    assert is_forbidden(ip_address(address))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.7", "192.168.1.5", "172.16.0.1", "52.216.0.1", "2600:1fa0::1", "fd00::7"]
)
def test_addresses_that_a_storage_has(address):
    """A storage may be anywhere else: on this machine, in this network, outside."""
    assert not is_forbidden(ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518"),
        *("169.16689662", "0", "0.0.0.0", "[::]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]"),  # noqa: S104 - likewise
        *(
            "0x0",
            "00000000",
            "[fe80::1]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::]",
            "169.254.169.254.",
            "nowhere.invalid",
        ),
    ],
)
async def test_endpoints_that_no_storage_has(host):
    """It is the address behind a name that counts, in all its spellings."""
    bucket = parse_bucket(f"s3://photos?endpoint=http://{host}:80", KEYS)

    with pytest.raises(StoreUnavailable):
        await guarded(bucket)


async def test_endpoint_on_this_machine():
    """A storage on the same machine is used, without TLS by the address that was looked at."""
    bucket = await guarded(parse_bucket("s3://photos?endpoint=http://localhost:9000", KEYS))

    assert bucket.endpoint in {"http://127.0.0.1:9000", "http://[::1]:9000"}


async def test_endpoint_with_tls():
    """With TLS a server proves its name, which stays."""
    bucket = parse_bucket("s3://photos?endpoint=https://localhost:9000", KEYS)

    assert await guarded(bucket) == bucket
