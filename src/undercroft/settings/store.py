"""Settings in the database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from undercroft.database.changes import Change, append_change
from undercroft.database.dialect import Dialect
from undercroft.database.engine import Engine, Texts, Transaction
from undercroft.database.params import load_param, save_param
from undercroft.database.positions import hold_position
from undercroft.encryption.failures import KeysUnavailable
from undercroft.encryption.texts import is_sealed_text
from undercroft.settings.merge import merge
from undercroft.settings.settings import SECRETS, Settings, SettingsHolder
from undercroft.settings.validate import check_settings

PARAM: Final = "settings"


async def load_settings(engine: Engine) -> Settings:
    """What is set; the defaults for what never was. While there are no keys, secrets are as they are kept."""
    return _from_stored(await load_param(engine.read, engine.dialect, PARAM), engine.texts)


async def change_settings(engine: Engine, holder: SettingsHolder, change: Callable[[Settings], Settings]) -> Settings:
    """What is set after the change, obeyed by the time this returns.

    The change is applied to what is stored at that moment, so that of two at once
    neither is lost. Raises `InvalidSettings`, `KeysUnavailable` and what the change raises.
    """

    async def save(tx: Transaction) -> Settings:
        await hold_position(tx, engine.dialect, "settings")
        changed = change(_from_stored(await load_param(tx.run, engine.dialect, PARAM), tx.texts))
        check_settings(changed)
        await save_param(tx, engine.dialect, PARAM, _to_stored(changed, tx.texts))
        await append_change(tx, engine.dialect, Change("settings", "", "", "update"))
        return changed

    holder.current = await engine.write(save, alone=True)
    return holder.current


async def seal_settings(engine: Engine, holder: SettingsHolder) -> None:
    """Seal the secrets that an older program kept in clear. Raises `KeysUnavailable`."""
    stored = await load_param(engine.read, engine.dialect, PARAM)
    if isinstance(stored, dict) and any(text and not is_sealed_text(text) for _, text in _secrets(stored)):
        await change_settings(engine, holder, lambda settings: settings)


async def reseal_settings(tx: Transaction, dialect: Dialect) -> None:
    """Seal what is secret in the settings with the key that seals now; they stay what they are.

    Raises `DecryptionFailed` and its kin, and `KeysUnavailable`.
    """
    await hold_position(tx, dialect, "settings")
    stored = await load_param(tx.run, dialect, PARAM)
    if not isinstance(stored, dict):
        return
    for path, text in _secrets(stored):
        if is_sealed_text(text):
            place = _place(path)
            _put(stored, path, tx.texts.seal_text(place, tx.texts.open_text(place, text)))
    await save_param(tx, dialect, PARAM, stored)


def _from_stored(stored: Any, texts: Texts) -> Settings:
    if not isinstance(stored, dict):
        return Settings()
    with suppress(KeysUnavailable):
        for path, text in _secrets(stored):
            if is_sealed_text(text):
                _put(stored, path, texts.open_text(_place(path), text))
    return merge(Settings(), stored)


def _to_stored(settings: Settings, texts: Texts) -> dict[str, Any]:
    stored: dict[str, Any] = msgspec.to_builtins(settings)
    for path, text in _secrets(stored):
        if is_sealed_text(text):
            raise KeysUnavailable("Settings cannot be changed while their secrets cannot be opened.")
        if text:
            _put(stored, path, texts.seal_text(_place(path), text))
    return stored


def _secrets(stored: dict[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """What is secret in settings as they are kept, by its path."""
    found = []
    for path in SECRETS:
        value: Any = stored
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            found.append((path, value))
    return found


def _put(stored: dict[str, Any], path: tuple[str, ...], text: str) -> None:
    for key in path[:-1]:
        stored = stored[key]
    stored[path[-1]] = text


def _place(path: tuple[str, ...]) -> str:
    return f"_params|{PARAM}|{'.'.join(path)}"
