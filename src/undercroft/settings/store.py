"""Settings in the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from undercroft.database.changes import Change, append_change
from undercroft.database.engine import Engine, Transaction
from undercroft.database.params import load_param, save_param
from undercroft.database.positions import hold_position
from undercroft.settings.merge import merge
from undercroft.settings.settings import Settings, SettingsHolder
from undercroft.settings.validate import check_settings

PARAM: Final = "settings"


async def load_settings(engine: Engine) -> Settings:
    """What is set; the defaults for what never was."""
    return _from_stored(await load_param(engine.read, engine.dialect, PARAM))


async def change_settings(engine: Engine, holder: SettingsHolder, change: Callable[[Settings], Settings]) -> Settings:
    """What is set after the change, obeyed by the time this returns.

    The change is applied to what is stored at that moment, so that of two at once
    neither is lost. Raises `InvalidSettings` and what the change raises.
    """

    async def save(tx: Transaction) -> Settings:
        await hold_position(tx, engine.dialect, "settings")
        changed = change(_from_stored(await load_param(tx.run, engine.dialect, PARAM)))
        check_settings(changed)
        await save_param(tx, engine.dialect, PARAM, msgspec.to_builtins(changed))
        await append_change(tx, engine.dialect, Change("settings", "", "", "update"))
        return changed

    holder.current = await engine.write(save, alone=True)
    return holder.current


def _from_stored(stored: Any) -> Settings:
    return merge(Settings(), stored) if isinstance(stored, dict) else Settings()
