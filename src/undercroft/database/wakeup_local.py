"""Wake-ups between the processes of one machine: a datagram socket each, in a folder of the data directory.

To ring is to send a byte to every other socket there, and to say something is to send that. A socket
whose buffer is full has a byte waiting, so that is as good as sent; one that nobody reads any more
belonged to a process that was killed, and is removed by whoever finds it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from undercroft.database.wakeup import LONGEST, Bell, Ear, Hear
from undercroft.ids import record_id

FOLDER: Final = "wakeup"
_RING: Final = b"!"


class LocalWakeup:
    """One process's end; make it with `open`."""

    def __init__(self, folder: Path, name: str, descriptor: int, receiver: socket.socket) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._receiver = receiver
        self._name = name
        self._ear = Ear()
        self._bell = Bell(lambda: self._send(_RING))
        self.on_said: Hear | None = None
        receiver.setblocking(False)
        asyncio.get_running_loop().add_reader(receiver, self._receive)

    @classmethod
    async def open(cls, directory: Path) -> LocalWakeup:
        """Join the line of a data directory. Raises `OSError` where there can be no sockets."""
        folder, name = directory / FOLDER, record_id()
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            receiver.bind(_address(folder, descriptor, name))
        except BaseException:
            receiver.close()
            os.close(descriptor)
            raise
        opened = cls(folder, name, descriptor, receiver)
        opened.ring()  # finds the sockets of those who were killed
        return opened

    def ring(self) -> None:
        """Wake the other processes of the data directory."""
        self._bell.ring()

    def say(self, text: str) -> None:
        """Tell the other processes of the data directory a text."""
        self._send(text.encode())

    async def heard(self, seconds: float) -> bool:
        """Wait for another process to ring, at most so long; whether one did."""
        return await self._ear.heard(seconds)

    async def close(self) -> None:
        """Take the socket away."""
        asyncio.get_running_loop().remove_reader(self._receiver)
        with suppress(OSError):
            (self._folder / self._name).unlink()
        self._receiver.close()
        os.close(self._descriptor)
        self._descriptor = -1

    def _send(self, content: bytes) -> None:
        if self._descriptor < 0:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for path in self._folder.iterdir():
                if path.name != self._name:
                    self._send_to(sender, path.name, content)

    def _send_to(self, sender: socket.socket, name: str, content: bytes) -> None:
        try:
            sender.sendto(content, _address(self._folder, self._descriptor, name))
        except ConnectionRefusedError:
            with suppress(OSError):
                (self._folder / name).unlink()
        except OSError:
            return  # full, or gone since we looked

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            while content := self._receiver.recv(LONGEST):
                if content == _RING:
                    self._ear.wake()
                elif self.on_said is not None:
                    self.on_said(content.decode(errors="replace"))


def _address(folder: Path, descriptor: int, name: str) -> str:
    # The address of a socket ends at 107 bytes, which a path may exceed; Linux has a short name for an open folder.
    return f"/proc/self/fd/{descriptor}/{name}" if sys.platform == "linux" else str(folder / name)
