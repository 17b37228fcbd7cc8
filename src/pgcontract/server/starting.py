"""Start a server of our own: from a cached cluster where there is one, else one is made and cached on the way."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shlex
from contextlib import nullcontext
from typing import TYPE_CHECKING

from filelock import FileLock

from pgcontract.errors import ServerError
from pgcontract.server import frozen, places, settings
from pgcontract.server.address import Address
from pgcontract.server.privileges import choose_identity, reachable
from pgcontract.server.runs import Run
from pgcontract.server.servers import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from pgcontract.server.databases import Template
    from pgcontract.server.versions import Binaries

_LOGGER = logging.getLogger(__name__)
_START_PATIENCE = 60.0
_INITDB_PATIENCE = 300.0


def start(binaries: Binaries, *, template: Template | None = None, durable: bool = False) -> Server:
    """Start a server that lives as long as this process at most; with a template, its database is there.

    ``durable``: on a disk, where a commit is not answered before it is there (``settings.DURABLE``).
    Raises ServerError with the end of the server's log; what ``template.apply`` raises passes, and leaves nothing.
    """
    run = Run(on_disk=durable)
    try:
        starter = _Starter(run, binaries, settings.DURABLE if durable else {})
        starter.bring_up(template)
    except BaseException:
        run.stop()
        raise
    server = Server(starter.address, binaries.major, binaries.version, run=run)
    try:
        if template is not None:
            server.template(template)
    except BaseException:
        server.stop()
        raise
    return server


class _Starter:
    """The ways to a running server in one run's folder."""

    def __init__(self, run: Run, binaries: Binaries, chosen: Mapping[str, str]) -> None:
        self.run = run
        self.chosen = chosen
        self.named = binaries
        self.identity = choose_identity()
        self.binaries = reachable(binaries, self.identity)
        self.owner: tuple[int, int] | None = None
        if self.identity.uid is not None and self.identity.gid is not None:
            self.owner = (self.identity.uid, self.identity.gid)
            for folder in {run.folder, run.sockets}:
                os.chown(folder, *self.owner)
        self.address = Address(str(run.sockets), 5432, settings.SUPERUSER)

    def bring_up(self, template: Template | None) -> None:
        """Start from what the cache has: the template's cluster, a bare one, or nothing."""
        made_from = _fingerprint(self.named)
        bare = f"bare-{self.named.version}-{made_from}"
        if template is None:
            self._from_cache_or(bare, self._initialise)
            return
        whole = hashlib.sha256(f"{made_from} {template.key}".encode()).hexdigest()[:24]
        self._from_cache_or(f"template-{self.named.version}-{whole}", lambda store: self._apply(bare, template, store))

    def _from_cache_or(self, name: str, make: Callable[[Callable[[], None]], None]) -> None:
        """Start the cached cluster of this name; or make it under a lock, so that who comes meanwhile waits for it."""
        if self._thawed(name):
            return
        with _cache_lock(name):
            if not self._thawed(name):
                make(lambda: self._store(name))

    def _thawed(self, name: str) -> bool:
        cached = frozen.find(name)
        if cached is None:
            return False
        try:
            frozen.thaw(cached, self.run.data, owner=self.owner, can_start=self._launch)
        except FileNotFoundError:
            return False
        except frozen.Damaged:
            _LOGGER.warning("A cached cluster is damaged and is made anew: %s", cached)
            cached.unlink(missing_ok=True)
            return False
        self.run.wait_until_ready(_START_PATIENCE)
        return True

    def _store(self, name: str) -> None:
        """Cache the stopped cluster; the run goes on without, as it does not need it."""
        try:
            frozen.store(name, self.run.data)
        except frozen.NotFreezable as error:
            _LOGGER.info("This cluster is not cached: %s lies outside it", error)
        except (ServerError, OSError) as error:
            _LOGGER.warning("The cluster could not be cached, the next start will be as slow: %s", error)

    def _initialise(self, store: Callable[[], None]) -> None:
        """Make a bare cluster with initdb, cache it, start it."""
        command = [self.binaries.program("initdb"), f"--pgdata={self.run.data}", *settings.INITDB]
        code = self.run.run(self.identity, [*command, *settings.LOCALE], timeout=_INITDB_PATIENCE)
        if code != 0 and "invalid locale" in self.run.log_tail():
            code = self.run.run(self.identity, [*command, *settings.FALLBACK_LOCALE], timeout=_INITDB_PATIENCE)
        if code != 0:
            raise self.run.failure(f"initdb failed with exit code {code}")
        (self.run.data / "postgresql.conf").write_text(settings.configuration(self.binaries.major))
        store()
        self._launch()
        self.run.wait_until_ready(_START_PATIENCE)

    def _apply(self, bare: str, template: Template, store: Callable[[], None]) -> None:
        """Make the template in a bare cluster, stop, cache, start again: a cluster must be stopped to be copied."""
        self._from_cache_or(bare, self._initialise)
        server = Server(self.address, self.binaries.major, self.binaries.version, run=self.run)
        try:
            server.template(template)
        finally:
            server.close()
        self.run.halt(_START_PATIENCE)
        store()
        self._launch()
        self.run.wait_until_ready(_START_PATIENCE)

    def _launch(self) -> None:
        command = [
            self.binaries.program("postgres"),
            "-D",
            str(self.run.data),
            f"--unix_socket_directories={self.run.sockets}",
        ]
        # not in the folder's own file: the cluster that is cached is the same for all
        chosen = [f"--{name}={value}" for name, value in self.chosen.items()]
        self.run.start(self.identity, [*command, *chosen, *self._authentication()])

    def _authentication(self) -> list[str]:
        """Decide who may connect.

        The socket lies in a folder that only its owner enters. Where the server runs as us, or as root behind a user
        namespace, that owner is us and needs no password: initdb's trust on the socket, with no other address. Where
        root had to become another user, the folder is that user's, and others' programs may run as the same: there
        only root gets in, by what the kernel says about the process at the other end (peer), and only as the
        superuser; other roles are reached by SET ROLE.
        """
        if self.owner is None:
            return []
        hba, ident = self.run.folder / "pg_hba.conf", self.run.folder / "pg_ident.conf"
        hba.write_text("local all all peer map=owner\n")
        ident.write_text(f"owner root {settings.SUPERUSER}\n")
        for path in (hba, ident):
            os.chown(path, *self.owner)
        return [f"--hba_file={hba}", f"--ident_file={ident}"]


def _cache_lock(name: str) -> AbstractContextManager[object]:
    """Lock a name in the cache; where that cannot be written, nobody can store anything that others would wait for."""
    try:
        return FileLock(places.make_cache_folder("clusters") / f"{name}.lock", mode=0o600)
    except ServerError:
        return nullcontext()


def _fingerprint(binaries: Binaries) -> str:
    """Hash what a bare cluster depends on: the programs, their machine and libc's sort order, and our settings."""
    program = binaries.bin_dir / "postgres"
    seen = program.stat()
    made_of = (
        str(program),
        seen.st_size,
        seen.st_mtime_ns,
        platform.machine(),
        _libc(),
        frozen.MAGIC,
        shlex.join([*settings.INITDB, *settings.LOCALE]),
        settings.configuration(binaries.major),
    )
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return platform.release()
