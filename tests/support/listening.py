"""A listener over a real connection, which comes back to where it was whenever that breaks."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FAULTS = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True)
class Heard:
    """An event: its position in the change log, what it is called, and its JSON."""

    place: int
    name: str
    data: Any


class Comer:
    """Hears of one topic on one of several ports, from now on and until it is stopped; `heard` is all it was told."""

    def __init__(self, ports: list[int], topic: str, chance: Any, token: str = "") -> None:
        self.heard: list[Heard] = []
        self.connects = 0
        self.faults: list[str] = []
        self._ports = ports
        self._topic = topic
        self._chance = chance
        self._token = token
        self._since = ""
        self._is_over = threading.Event()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._is_ready.wait(30)

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join(30)

    @property
    def place(self) -> int:
        return int(self._since or 0)

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                self._listen(self._chance.choice(self._ports), self._chance.random() * 1.5)
            except FAULTS as fault:
                self.faults.append(repr(fault))
                time.sleep(0.05)

    def _listen(self, port: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.5)
        try:
            connection.request("GET", f"/api/realtime?since={self._since}")
            events = _events(connection.getresponse(), self._is_over, until)
            for place, name, data in events:
                self._since = str(place) if place else self._since
                if name == "PB_CONNECT":
                    self._wish(data["clientId"])
                elif name:
                    self.heard.append(Heard(place, name, data))
        finally:
            connection.close()

    def _wish(self, client_id: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._chance.choice(self._ports), timeout=10)
        try:
            body = json.dumps({"clientId": client_id, "subscriptions": [self._topic]})
            headers = {"Content-Type": "application/json"} | ({"Authorization": self._token} if self._token else {})
            connection.request("POST", "/api/realtime", body, headers)
            if connection.getresponse().status == 204:
                self.connects += 1
                self._is_ready.set()
        finally:
            connection.close()


def _events(answer: http.client.HTTPResponse, is_over: threading.Event, until: float) -> Iterator[tuple[int, str, Any]]:
    """Position (0 for none of its own), name and JSON of each block that comes whole."""
    block: dict[str, str] = {}
    while not is_over.is_set() and time.monotonic() < until:
        try:
            line = answer.readline().decode()
        except TimeoutError:
            return
        if not line:
            return
        key, _, value = line.rstrip("\n").partition(":")
        if key:
            block[key] = value
        elif line == "\n" and block:
            yield int(block.get("id", 0)), block.get("event", ""), json.loads(block.get("data", "null"))
            block = {}
