"""What is set before the start: flags, environment and `undercroft.toml`, in this order of weight."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from undercroft.errors import Problem, did_you_mean

FILE_NAME: Final = "undercroft.toml"
PREFIX: Final = "UNDERCROFT_"
_FOLDERS: Final = ("dir", "pages", "public", "hooks")
_FILES: Final = (
    "root_key_file",
    "root_passphrase_file",
    "root_age_identity",
    "root_transit_token_file",
    "breached_passwords",
)
LOCAL_FILES: Final = "local"
_LISTS: Final = ("origins", "outgoing_networks")
_SECRETS: Final = (  # only in the environment, and read where they are needed
    *("s3_access_key", "s3_secret"),
    *("root_key", "root_passphrase", "root_transit_token"),
    *("new_root_key", "new_root_passphrase", "new_root_transit_token"),
)


class BadConfig(Problem):
    """An option is unknown or its value makes no sense."""

    code = "bad_config"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a server. `dir` holds the data; relative ones are of the site.

    `pages` and `public` are the folders of a site's pages and static files; `headers` take
    the place of the usual headers of pages. `index_fallback` answers unknown paths of a site
    without pages with its `index.html`. `hooks` is the folder of its hooks, and `hook_seconds`
    what they may take within a change. `server_timing` shows what a page costs in a header.
    `accounts` is the collection that the ready pages to sign in and up are for; empty for no such pages.

    `database` is the URL of a PostgreSQL database for the records; without one they
    are in SQLite, in `dir`. `files` is the URL of a bucket for uploaded files, or `local`
    for `dir`; without either the settings decide.

    `outgoing_networks` are private ones that the server may call into where what it calls is
    set over HTTP, as providers of OAuth2 are.

    The `root_` options say where the root key is, which encryption hangs on: in a file, stretched from a
    passphrase, under an age identity or a key of a transit service; `dir` has it otherwise. What it has
    opened is used for `root_cache_seconds` while a transit service is away. With `serve_locked` what is
    not encrypted is served while that is away at start.

    `breached_passwords` is a file of passwords that nobody may set.

    Without `rate_limits` those of the settings do not count, for tests and measurements.
    """

    http: str = "127.0.0.1:8090"
    dir: str = "data"
    database: str = ""
    files: str = ""
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    dev: bool = False
    origins: tuple[str, ...] = ("*",)
    access_log: bool = False
    pages: str = "pages"
    public: str = "public"
    hooks: str = "hooks"
    hook_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    index_fallback: bool = True
    server_timing: bool = False
    headers: dict[str, str] = {}
    accounts: str = "users"
    outgoing_networks: tuple[str, ...] = ()
    root_key_file: str = ""
    root_passphrase_file: str = ""
    root_passphrase_ask: bool = False
    root_age_identity: str = ""
    root_transit_url: str = ""
    root_transit_key: str = "undercroft"
    root_transit_mount: str = "transit"
    root_transit_namespace: str = ""
    root_transit_token_file: str = ""
    root_cache_seconds: Annotated[float, msgspec.Meta(ge=0, le=30 * 86400)] = 3600.0
    serve_locked: bool = False
    breached_passwords: str = ""
    rate_limits: bool = True


class Address(msgspec.Struct, frozen=True):
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as one opens it in a browser on the same machine."""
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host)  # noqa: S104 - shown, not bound
        return f"http://{shown or (f'[{self.host}]' if ':' in self.host else self.host)}:{self.port}"


def load_config(site: Path, flags: Mapping[str, Any], environment: Mapping[str, str]) -> Config:
    """The options of a site. Raises `BadConfig`, naming the option and where it was set."""
    file = site / FILE_NAME
    parts = [
        (str(file), _rooted(_read_file(file), site)),
        ("the environment", _read_environment(environment)),
        ("the command line", {name: value for name, value in flags.items() if value is not None}),
    ]
    merged: dict[str, Any] = {name: str(site / getattr(Config(), name)) for name in _FOLDERS}
    for source, options in parts:
        _check(options, source)
        merged |= options
    config = msgspec.convert(merged, Config, strict=False)
    parse_address(config.http)
    _check_database(config.database)
    _check_files(config.files)
    _check_networks(config.outgoing_networks)
    return config


def load_environment(environment: Mapping[str, str]) -> Config:
    """The options of the environment alone. Raises `BadConfig`."""
    options = _read_environment(environment)
    _check(options, "the environment")
    return msgspec.convert(options, Config, strict=False)


def parse_address(text: str) -> Address:
    """HOST:PORT as its parts; the host may be left out for all addresses. Raises `BadConfig`."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BadConfig(f"{text!r} is no address: write HOST:PORT, such as 127.0.0.1:8090.")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - asked for by leaving the host out


def is_postgresql(url: str) -> bool:
    """Whether a URL is of a PostgreSQL database."""
    return url.startswith(("postgresql://", "postgres://"))


def _check_database(url: str) -> None:
    if url and not is_postgresql(url):
        raise BadConfig(f"{url.partition(':')[0]!r} is no database we know: write postgresql://USER@HOST/NAME.")


def _check_files(url: str) -> None:
    if url not in ("", LOCAL_FILES) and not url.startswith("s3://"):
        raise BadConfig(f"Files cannot be in {url[:80]!r}: write s3://BUCKET/PREFIX, or {LOCAL_FILES}.")


def _check_networks(networks: Sequence[str]) -> None:
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise BadConfig(f"{network[:80]!r} is no network: write one as 10.1.0.0/16 or fd00::/8.") from error


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"{file} cannot be read: {error}.") from error


def _rooted(options: dict[str, Any], site: Path) -> dict[str, Any]:
    folders = {name: str(site / options[name]) for name in (*_FOLDERS, *_FILES) if _is_path(options.get(name))}
    return options | folders


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Our variables. Unknown ones may be someone else's, unless they look misspelt."""
    options: dict[str, Any] = {}
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or text == "":
            continue
        if name in Config.__struct_fields__:
            options[name] = [part.strip() for part in text.split(",")] if name in _LISTS else text
        elif name not in _SECRETS and (near := get_close_matches(name, Config.__struct_fields__, 1)):
            raise BadConfig(f"{variable} is no option. Did you mean {PREFIX}{near[0].upper()}?")
    return options


def _check(options: Mapping[str, Any], source: str) -> None:
    try:
        msgspec.convert(options, Config, strict=False)
    except msgspec.ValidationError as error:
        unknown = [name for name in options if name not in Config.__struct_fields__]
        if unknown:
            hint = did_you_mean(unknown[0], Config.__struct_fields__)
            known = ", ".join(Config.__struct_fields__)
            raise BadConfig(f"{unknown[0]!r} in {source} is no option.{hint or f' Options are: {known}.'}") from error
        reason = str(error).replace(" - at `$.", " for option `")
        raise BadConfig(f"{reason} in {source}.") from error
