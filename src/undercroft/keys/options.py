"""Who keeps the root key, as flags, environment and `undercroft.toml` say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Final

from undercroft.config import BadConfig, Config
from undercroft.keys.root import BadRoot, Root
from undercroft.keys.root_age import AgeRoot
from undercroft.keys.root_local import FILE_NAME, EnvironmentRoot, FileRoot
from undercroft.keys.root_passphrase import PassphraseRoot
from undercroft.keys.root_transit import Post, TransitRoot, TransitService, read_token

KEY: Final = "UNDERCROFT_ROOT_KEY"
PASSPHRASE: Final = "UNDERCROFT_ROOT_PASSPHRASE"  # noqa: S105 - the name of a variable
TOKEN: Final = "UNDERCROFT_ROOT_TRANSIT_TOKEN"  # noqa: S105 - likewise


@dataclass(frozen=True, slots=True)
class RootOptions:
    """Where the root key is; without anything, in a file of the data directory.

    `key` and `passphrase` are the secrets themselves, `ask` asks for a passphrase. What the
    root key has opened is used for `cache_seconds` after it was last confirmed. `serves_locked` has
    what is not encrypted served while it cannot be had at start.
    """

    key_file: str = ""
    key: str = field(default="", repr=False)
    passphrase_file: str = ""
    passphrase: str = field(default="", repr=False)
    ask: Callable[[], str] | None = field(default=None, repr=False)
    age_identity: str = ""
    transit_url: str = ""
    transit_key: str = "undercroft"
    transit_mount: str = "transit"
    transit_namespace: str = ""
    transit_token_file: str = ""
    transit_token: str = field(default="", repr=False)
    cache_seconds: float = 3600.0
    serves_locked: bool = False

    @classmethod
    def of(cls, config: Config, environment: Mapping[str, str]) -> RootOptions:
        """Those of a configuration; the secrets stand in the environment alone."""
        return cls(
            key_file=config.root_key_file,
            key=environment.get(KEY, ""),
            passphrase_file=config.root_passphrase_file,
            passphrase=environment.get(PASSPHRASE, ""),
            age_identity=config.root_age_identity,
            transit_url=config.root_transit_url,
            transit_key=config.root_transit_key,
            transit_mount=config.root_transit_mount,
            transit_namespace=config.root_transit_namespace,
            transit_token_file=config.root_transit_token_file,
            transit_token=environment.get(TOKEN, ""),
            cache_seconds=config.root_cache_seconds,
            serves_locked=config.serve_locked,
        )


def choose_root(options: RootOptions, directory: Path, post: Post) -> Root:
    """Who keeps the root key; `post` calls other servers. Raises `BadConfig` when more than one is named."""
    named = {name: make for name, make in _named(options, post) if make is not None}
    if len(named) > 1:
        raise BadConfig(f"The root key can come from one place: choose between {' and '.join(named)}.")
    return next((make() for make in named.values()), None) or FileRoot(directory / FILE_NAME, is_beside=True)


def _named(options: RootOptions, post: Post) -> list[tuple[str, Callable[[], Root] | None]]:
    """Each way to name a root key, and what makes it, if it was taken."""
    return [
        ("root_key_file", partial(FileRoot, Path(options.key_file)) if options.key_file else None),
        (KEY, partial(EnvironmentRoot, options.key) if options.key else None),
        ("root_passphrase_file", partial(_from_file, options.passphrase_file) if options.passphrase_file else None),
        (PASSPHRASE, partial(_from_variable, options.passphrase) if options.passphrase else None),
        ("root_passphrase_ask", partial(_from_terminal, options.ask) if options.ask else None),
        ("root_age_identity", partial(AgeRoot, Path(options.age_identity)) if options.age_identity else None),
        ("root_transit_url", partial(_transit, options, post) if options.transit_url else None),
    ]


def _from_file(path: str) -> Root:
    return PassphraseRoot(f"of the passphrase in {path}", partial(_read_passphrase, Path(path)))


def _from_variable(passphrase: str) -> Root:
    return PassphraseRoot(f"of the passphrase in {PASSPHRASE}", lambda: passphrase)


def _from_terminal(ask: Callable[[], str]) -> Root:
    return PassphraseRoot("of the passphrase that was typed", cache(ask))


def _transit(options: RootOptions, post: Post) -> Root:
    if options.transit_token_file:
        token: Callable[[], str] = partial(read_token, Path(options.transit_token_file))
    elif options.transit_token:
        token = lambda: options.transit_token  # noqa: E731 - the other way to read it
    else:
        raise BadConfig(f"The transit service wants a token: set {TOKEN}, or root_transit_token_file.")
    service = TransitService(
        url=options.transit_url,
        key=options.transit_key,
        mount=options.transit_mount,
        namespace=options.transit_namespace,
        token=token,
        post=post,
    )
    return TransitRoot(service)


def _read_passphrase(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise BadRoot(f"The passphrase cannot be read from {path}.") from None
