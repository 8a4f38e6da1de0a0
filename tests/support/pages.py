"""The documentation as something that runs.

Of a page's fenced blocks these run, in an empty folder, from top to bottom:

    ```console           each line that starts with `$ ` is a command; what follows is what it prints
    ```console fails     the same, for commands that are meant to fail
    ```python  ```js     a script; a ```text block right behind it is what it prints
    ```toml file=NAME    any language: the block becomes that file

`...` in an expected text stands for anything. A block inside an HTML comment runs
as well, unseen by the reader. `undercroft serve` and `granian` are started in the
background and stopped when the page ends; port 8090 stands for one that is free,
postgresql://app@db.example.com/app for a database that is empty, and
s3://photos/site?endpoint=https://s3.example.com for a bucket.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SHOWN_PORT = "8090"
SHOWN_DATABASE = "postgresql://app@db.example.com/app"
SHOWN_BUCKET = "s3://photos/site?endpoint=https://s3.example.com"
_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_SERVERS = ("undercroft serve", "granian ")
_END = "--end-of-answer--"
_PATIENCE = 60  # seconds for one command


@dataclass
class Block:
    """One fenced block. `output` is what a script is expected to print, when the page says."""

    info: str
    text: str
    output: str | None = None

    @property
    def language(self) -> str:
        return self.info.split()[0] if self.info else ""

    @property
    def file(self) -> str:
        found = re.search(r"file=(\S+)", self.info)
        return found[1] if found else ""

    @property
    def is_to_fail(self) -> bool:
        return "fails" in self.info.split()

    @property
    def runs(self) -> bool:
        return bool(self.file) or self.language in {"console", "python", "js"}

    def commands(self) -> list[tuple[str, str]]:
        """Each command of a console block with what it is expected to print."""
        found: list[tuple[str, str]] = []
        open_command = False
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            elif open_command:
                found[-1] = (f"{found[-1][0]}\n{line}", "")
            else:
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
            open_command = line.endswith("\\") and (open_command or line.startswith("$ "))
        return found


def read_blocks(page: str) -> list[Block]:
    """The blocks of a page that run, in order."""
    blocks = [Block(info.strip(), text) for info, text in _FENCE.findall(page)]
    for script, answer in itertools.pairwise(blocks):
        if script.language in {"python", "js"} and answer.info == "text":
            script.output = answer.text
    return [block for block in blocks if block.runs]


def same(expected: str | None, answer: str) -> bool:
    """Whether an answer is the expected text, `...` standing for anything."""
    if expected is None:
        return True
    pattern = re.escape(_trimmed(expected)).replace(re.escape("..."), ".*?")
    return re.fullmatch(pattern, _trimmed(answer), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@dataclass(frozen=True)
class Places:
    """What a page's shown places stand for, and the variables that open them."""

    database: str = SHOWN_DATABASE
    bucket: str = SHOWN_BUCKET
    variables: Mapping[str, str] = field(default_factory=dict)


class Shell:
    """A shell in a folder of its own, for as long as a page runs."""

    def __init__(self, folder: Path, port: int, places: Places | None = None) -> None:
        self.folder = folder
        self.port = str(port)
        self.places = places or Places()
        self.servers: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            **self.places.variables,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "NO_COLOR": "1",
            "TERM": "dumb",
            "COLUMNS": "120",
            "PS1": "",
        }
        self.bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bash.stdin.close()
        self.bash.wait(10)
        self.bash.stdout.close()
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            server.wait(40)

    def run(self, command: str, *, is_to_fail: bool = False) -> str:
        """What a command prints; raises `AssertionError` when it ends in the way it should not."""
        if command.startswith(_SERVERS) and "--help" not in command:
            return self._shown(self._serve(self._real(command)))
        self.bash.stdin.write(f"{self._real(command)}\nprintf '\\n{_END} %d\\n' $?\n")
        self.bash.stdin.flush()
        lines: list[str] = []
        watchdog = threading.Timer(_PATIENCE, self.bash.kill)
        watchdog.start()
        while not (line := self.bash.stdout.readline()).startswith(_END):
            assert line, f"the shell ended, or waited for more, at: {command}"
            lines.append(line)
        watchdog.cancel()
        answer = self._shown("".join(lines))
        assert (int(line.split()[-1]) != 0) == is_to_fail, f"$ {command}\n{answer}"
        return answer

    def run_script(self, language: str, text: str) -> str:
        """What a Python or JavaScript program prints."""
        script = self.folder / ("page.mjs" if language == "js" else "page.py")
        script.write_text(self._real(text), encoding="utf-8")
        return self.run(f"{'node' if language == 'js' else 'python'} {script.name}")

    def save(self, block: Block) -> None:
        """Keep a block as the file it names."""
        target = self.folder / block.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self._real(block.text), encoding="utf-8")

    def _serve(self, command: str) -> str:
        if "--http" not in command and "undercroft" in command:
            command = f"{command} --http 127.0.0.1:{self.port}"
        log = self.folder / f"server{len(self.servers)}.log"
        with log.open("wb") as output:
            arguments = ["bash", "-c", f"exec {command}"]
            self.servers.append(
                subprocess.Popen(
                    arguments, cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT
                )
            )
        self._wait_for_port(log)
        return log.read_text(encoding="utf-8")

    def _wait_for_port(self, log: Path) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.servers[-1].poll() is None:
            with socket.socket() as probe:
                # The port is open before the server says so, and what it says is part of the page.
                if probe.connect_ex(("127.0.0.1", int(self.port))) == 0 and log.stat().st_size:
                    time.sleep(0.2)
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{log.read_text(encoding='utf-8')}")

    def _real(self, text: str) -> str:
        text = text.replace(SHOWN_DATABASE, self.places.database).replace(SHOWN_BUCKET, self.places.bucket)
        return text.replace(SHOWN_PORT, self.port)

    def _shown(self, text: str) -> str:
        database = self.places.database
        for told in (database, database.partition("?")[0]):  # what programs say of it has no parameters
            text = text.replace(told, SHOWN_DATABASE)
        text = text.replace(self.places.bucket, SHOWN_BUCKET)
        text = text.replace(self.places.bucket.partition("?")[0], SHOWN_BUCKET.partition("?")[0])
        return text.replace(self.port, SHOWN_PORT).replace("\r", "").replace(str(self.folder), "/home/you")
