"""One run of a server: its folder, the lock that says that it lives, and the supervisor that ends it.

A run is two names in a private folder: `run-x.lock`, locked by the supervisor for as long as it lives, and `run-x`.
The lock is made first and removed last. Where it can be taken, the supervisor is dead (killed), and the next run
sweeps the folder, and a server that survived, away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from pgcontract.errors import ServerError
from pgcontract.server import places, supervisor
from pgcontract.signs import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgcontract.server.privileges import Identity

_STOP_PATIENCE = 15.0
# variables that would change what a server does; a locale must be one that every machine has
_SERVER_ENVIRONMENT = {"LC_ALL": "C", "LANG": "C", "TZ": "UTC"}


class Run:
    """A folder for one server, and the only process that may start or end programs in it.

    ``data``, ``log`` and ``sockets`` are its parts. Everything goes away with ``stop``, with this process, or, at the
    latest, when a later run sweeps. ``on_disk``: in the folder for temporary files, where others are in memory.
    """

    def __init__(self, *, on_disk: bool = False) -> None:
        roots = places.all_run_roots()
        if on_disk:
            # memory comes first
            roots.reverse()
        if not roots:
            raise ServerError(
                "There is no folder to run a server in",
                seen="neither memory nor the folder for temporary files can be used",
                remedy="set TMPDIR to a folder that you can write to",
            )
        for root in roots:
            sweep(root)
        lock, self._lock_file = _new_lock(roots[0])
        try:
            self.folder = self._lock_file.with_suffix("")
            self.sockets = self.folder if places.socket_fits(self.folder) else places.make_socket_folder()
            self._folders = [self.folder] if self.sockets == self.folder else [self.folder, self.sockets]
            if self.sockets != self.folder:
                os.write(lock, os.fsencode(self.sockets))
            self.folder.mkdir(mode=0o700)
            self.data = self.folder / "data"
            self.log = self.folder / "server.log"
            self._process, self._control = self._supervise(lock)
        except BaseException as error:
            for folder in getattr(self, "_folders", ()):
                shutil.rmtree(folder, ignore_errors=True)
            self._lock_file.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise ServerError("A run's folder cannot be made", where=str(roots[0]), seen=error.strerror) from error
            raise
        finally:
            os.close(lock)
        self._owner = os.getpid()
        self._ended: int | None = None
        self._received = b""
        self._finalizer = weakref.finalize(
            self, _finish, os.getpid(), self._process, self._control, tuple(self._folders), self._lock_file
        )

    def _supervise(self, lock: int) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        with theirs:
            descriptors = (theirs.fileno(), lock)
            command = [sys.executable, "-I", "-S", supervisor.__file__, *map(str, descriptors), str(os.getpid())]
            try:
                # in a session of its own, so that Ctrl-C reaches us only, and we say when the server ends
                process = subprocess.Popen(
                    [*command, str(self._lock_file), *map(str, self._folders)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=descriptors,
                    start_new_session=True,
                    env=environment | _SERVER_ENVIRONMENT,
                )
            except BaseException:
                ours.close()
                raise
        return process, ours

    def _send(self, *fields: str | bytes) -> None:
        body = b"\0".join(os.fsencode(field) for field in fields)
        try:
            self._control.sendall(len(body).to_bytes(4, "big") + body)
        except OSError as error:
            raise ServerError("The server's supervisor is gone", where=str(self.folder)) from error

    def _receive(self, timeout: float) -> bool:
        """Read what the supervisor has to say; tell whether the program it runs has ended."""
        if self._ended is None and select.select([self._control], [], [], timeout)[0]:
            try:
                part = self._control.recv(4096)
            except OSError:
                part = b""
            self._received += part
            if not part:
                self._ended = -signal.SIGKILL  # the supervisor was killed, and the server with it
            while len(self._received) >= 4:
                size = 4 + int.from_bytes(self._received[:4], "big")
                if len(self._received) < size:
                    break
                fields, self._received = self._received[4:size].split(b"\0"), self._received[size:]
                if fields[0] == b"ended":
                    self._ended = int(fields[1])
        return self._ended is not None

    def _wait_for_end(self, what: str, timeout: float) -> int:
        give_up = time.monotonic() + timeout
        while not self._receive(max(0.0, give_up - time.monotonic())):
            if time.monotonic() >= give_up:
                raise self.failure(f"{what} took longer than {count(round(timeout), 'second')}")
        assert self._ended is not None
        return self._ended

    def _launch(self, how: str, identity: Identity, argv: Sequence[str]) -> None:
        self._ended = None
        uid, gid = ("" if number is None else str(number) for number in (identity.uid, identity.gid))
        self._send(how, str(self.log), uid, gid, *identity.prefix, *argv)

    def run(self, identity: Identity, argv: Sequence[str], *, timeout: float) -> int:
        """Run a program to its end, its output in the log; give its exit code."""
        self._launch("run", identity, argv)
        return self._wait_for_end(Path(argv[0]).name, timeout)

    def start(self, identity: Identity, argv: Sequence[str]) -> None:
        """Start the server; it may not be ready yet."""
        self._launch("start", identity, argv)

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until the server accepts connections, by the file in which it says so; raises ServerError."""
        status = self.data / "postmaster.pid"
        give_up = time.monotonic() + timeout
        while True:
            with contextlib.suppress(OSError):
                lines = status.read_bytes().splitlines()
                if len(lines) > 7 and lines[7].strip() == b"ready":
                    return
            if self._receive(0.001):
                raise self.failure("The PostgreSQL server did not start")
            if time.monotonic() > give_up:
                raise self.failure(f"The PostgreSQL server was not ready after {count(round(timeout), 'second')}")

    def halt(self, timeout: float) -> None:
        """Stop the server cleanly, so that its folder may be kept; raises ServerError."""
        self._send("halt")
        if self._wait_for_end("Stopping the PostgreSQL server", timeout) != 0:
            raise self.failure("The PostgreSQL server did not stop cleanly")

    def is_running(self) -> bool:
        """Tell whether the server runs; a forked child, which must not read its parent's messages, asks the lock."""
        if os.getpid() != self._owner:
            return self._lock_file.exists()
        return self._finalizer.alive and not self._receive(0)

    def log_tail(self, lines: int = 12) -> str:
        """Give the last lines of the server's log."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def failure(self, what: str) -> ServerError:
        """Make the error for a server that does not do as it should, with what it said."""
        tail = self.log_tail()
        return ServerError(
            what,
            where=str(self.folder),
            seen=("the end of its log:\n    " + tail.replace("\n", "\n    ")) if tail else "it wrote no log",
            remedy="see the log's last lines; `pgcontract server list` shows which servers can be used",
        )

    def stop(self) -> None:
        """End the server and remove its folder; nothing in a forked child, and nothing the second time."""
        self._finalizer()


def _new_lock(root: Path) -> tuple[int, Path]:
    """Make a locked lock file under a new name; a sweep may take it away between the two steps: then another."""
    while True:
        path = root / f"run-{secrets.token_hex(4)}.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise ServerError("A run's folder cannot be made", where=str(root), seen=error.strerror) from error
        if _lock(descriptor, path):
            return descriptor, path
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> bool:
    """Take the lock if nobody has it and the name still means this file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except OSError:
        return False


def _finish(
    owner: int,
    process: subprocess.Popen[bytes],
    control: socket.socket,
    folders: tuple[Path, ...],
    lock_file: Path,
) -> None:
    """End a run. A forked child has a copy of it all, and must neither end nor wait for what is its parent's."""
    if os.getpid() != owner:
        control.close()
        process.returncode = 0  # else its destructor complains that it still runs
        return
    control.settimeout(_STOP_PATIENCE)
    with contextlib.suppress(OSError):  # Popen.wait sleeps in steps of up to 50 ms; the socket's end comes at once
        control.sendall((4).to_bytes(4, "big") + b"quit")
        while control.recv(4096):
            pass
    try:
        process.wait(_STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    control.close()
    if lock_file.exists():  # the supervisor was killed
        _remove(folders, lock_file)


def _remove(folders: tuple[Path, ...], lock_file: Path) -> None:
    _end_survivor(folders[0] / "data")
    supervisor.remove([str(folder) for folder in folders])
    if not any(folder.exists() for folder in folders):
        lock_file.unlink(missing_ok=True)


def sweep(root: Path) -> None:
    """Remove what runs left whose supervisor was killed, never one that lives."""
    for lock_file in root.glob("run-*.lock"):
        try:
            descriptor = os.open(lock_file, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if _lock(descriptor, lock_file):
                sockets = Path(os.fsdecode(os.read(descriptor, 4096)) or "/")
                ours = sockets.name.startswith("pgcontract-") and not sockets.is_symlink()
                _remove((lock_file.with_suffix(""), sockets) if ours else (lock_file.with_suffix(""),), lock_file)
        finally:
            os.close(descriptor)


def _end_survivor(data: Path) -> None:
    """End the server of a folder whose supervisor is gone, if it is still that server: numbers are reused."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return
    give_up = time.monotonic() + supervisor.PATIENCE
    number = signal.SIGQUIT
    while _works_in(pid, data):
        with contextlib.suppress(OSError):
            os.kill(pid, number)
        if time.monotonic() > give_up:
            if number == signal.SIGKILL:
                return
            number, give_up = signal.SIGKILL, give_up + 1
        time.sleep(0.01)


def _works_in(pid: int, data: Path) -> bool:
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == data
        except OSError:
            return False
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return str(data) in listed.stdout
