"""Time without the time in which somebody else had the core."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, Self

WAITED: Final = 200_000
"""Nanoseconds. Handing over between client and server is shorter, and belongs to what is measured."""


class Clock:
    """Times what this process has a server's process of this machine do; where Linux says so, without their waiting.

    A query that takes as long as a slice of the scheduler's is interrupted by whatever else runs, nearly every time,
    and its median with it. ``is_net`` tells whether that is left out. Waiting for a lock or for a disk is not.
    """

    def __init__(self, backend: int) -> None:
        self._files: list[int] = []
        self._began = self._waited = self._ran = 0
        try:
            for process in (backend, os.getpid()):
                self._files.append(os.open(Path(f"/proc/{process}/schedstat"), os.O_RDONLY))
            self._counters()
        except (OSError, ValueError, IndexError):
            # another system, or a kernel that does not count this
            self.close()

    @property
    def is_net(self) -> bool:
        """Whether waiting for the core is left out."""
        return bool(self._files)

    def start(self) -> None:
        """Begin."""
        if self._files:
            self._waited, self._ran = self._counters()
        self._began = time.perf_counter_ns()

    def stop(self) -> int:
        """The nanoseconds since the beginning."""
        taken = time.perf_counter_ns() - self._began
        if not self._files:
            return taken
        waited, ran = self._counters()
        waited -= self._waited
        # both may wait at once, and a wait may have begun before: never less than the server was seen to work
        return taken if waited < WAITED else max(taken - waited, min(ran - self._ran, taken))

    def _counters(self) -> tuple[int, int]:
        """How long both have waited for a core since they began, and how long the server has had one."""
        server, client = (os.pread(file, 64, 0).split() for file in self._files)
        return int(server[1]) + int(client[1]), int(server[0])

    def close(self) -> None:
        """Let go of what it reads."""
        for file in self._files:
            os.close(file)
        self._files = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
