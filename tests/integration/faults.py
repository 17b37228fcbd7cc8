"""A process that forks runners, so that a test can kill a thousand of them: Python and the driver are loaded once.

One line in: a command (up or down), a DSN, a folder, divided by tabs; one line out: the runner's process. Then one line
in: anything; one line out: how the runner ended (0, or what it said).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pgcontract.errors import PgContractError
from pgcontract.migrations import Runner


def serve() -> None:
    """Fork a runner for each request, until the end of the input."""
    while line := sys.stdin.readline():
        command, dsn, folder = line.rstrip("\n").split("\t")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os.write(writing, _run(command, dsn, Path(folder)).encode())
            os._exit(0)
        os.close(writing)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        sys.stdin.readline()
        os.waitpid(child, 0)
        said = os.read(reading, 4096).decode()
        os.close(reading)
        sys.stdout.write((said or "killed").replace("\n", " | ") + "\n")
        sys.stdout.flush()


def _run(command: str, dsn: str, folder: Path) -> str:
    try:
        runner = Runner(dsn, folder, lock_seconds=10)
        if command == "up":
            runner.up()
        else:
            runner.down(to=0)
    except PgContractError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


class Forks:
    """The other end of ``serve``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def start(self, command: str, dsn: str, folder: Path) -> int:
        """Begin a run; gives its process."""
        return int(self._say(f"{command}\t{dsn}\t{folder}"))

    def end(self) -> str:
        """How the run ended, when it has."""
        return self._say("")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def _say(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        return self._process.stdout.readline().rstrip("\n")


if __name__ == "__main__":
    serve()
