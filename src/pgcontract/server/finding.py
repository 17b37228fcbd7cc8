"""Find a PostgreSQL to start: named by the user, installed by us, the system's, or installed on the spot."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pgcontract.errors import ServerError
from pgcontract.server.installing import install as install_major
from pgcontract.server.installing import installed
from pgcontract.server.versions import DEFAULT_MAJOR, SUPPORTED, Binaries, inspect, missing_extensions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOGGER = logging.getLogger(__name__)
_PREFIXES = ("/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt")


def find_binaries(
    major: int | None,
    *,
    pg_bin: Path | None = None,
    install: bool = True,
    progress: Callable[[int, int | None], None] | None = None,
) -> Binaries:
    """Find the programs of a major version, None for the default or the newest to be had; raises ServerError.

    In this order: ``pg_bin`` or PGCONTRACT_PG_BIN; the cache; the system's; an installation on the spot, unless
    ``install`` is false or PGCONTRACT_NO_INSTALL is set. A system's PostgreSQL without the contrib modules is passed
    over.
    """
    if major is not None and major not in SUPPORTED:
        raise ServerError(
            "This major version of PostgreSQL is not supported",
            seen=str(major),
            remedy="use one of " + ", ".join(map(str, SUPPORTED)),
        )
    named = pg_bin or (Path(given) if (given := os.environ.get("PGCONTRACT_PG_BIN")) else None)
    if named is not None:
        return _named(named.expanduser().absolute(), major)
    wanted = DEFAULT_MAJOR if major is None else major
    candidates = itertools.chain(installed(), _of_system(wanted))  # lazily: the cache's do not need to be run
    found = next((binaries for binaries in candidates if binaries.major == wanted), None)
    if found is not None:
        return found
    reason: ServerError | None = None
    if install and not os.environ.get("PGCONTRACT_NO_INSTALL"):
        try:
            return install_major(wanted, progress=progress)
        except ServerError as error:
            reason = error
    if major is None:
        others = sorted((*installed(), *_of_system(None)), key=lambda binaries: binaries.major, reverse=True)
        if others:
            _LOGGER.warning("PostgreSQL %s is not to be had; using %s", DEFAULT_MAJOR, others[0].describe())
            return others[0]
    raise _nothing(wanted, reason) from reason


def _nothing(major: int, reason: ServerError | None) -> ServerError:
    seen = f"PostgreSQL {major}: neither installed here nor the system's"
    if reason is not None:
        seen += "; installing it failed: " + str(reason).replace("\n", " ")
    return ServerError(
        f"No PostgreSQL {major} was found",
        seen=seen,
        remedy=f"one of: `pgcontract server install {major}`; install your distribution's package with its contrib "
        f"modules (postgresql-{major}); name a folder of programs with --pg-bin or PGCONTRACT_PG_BIN, or a running "
        "server with --dsn",
    )


def _named(folder: Path, major: int | None) -> Binaries:
    binaries = inspect(folder, "given")
    if major is not None and binaries.major != major:
        raise ServerError(
            f"PostgreSQL {major} was asked for, and another version was named",
            where=str(folder),
            seen=binaries.version,
            remedy=f"name the programs of PostgreSQL {major}, or ask for {binaries.major}",
        )
    lacking = missing_extensions(binaries)
    if lacking:
        raise ServerError(
            "This PostgreSQL lacks contrib modules",
            where=str(folder),
            seen="without " + ", ".join(lacking),
            remedy="install its contrib package (postgresql-contrib)",
        )
    return binaries


def _of_system(major: int | None) -> Iterator[Binaries]:
    """Give the system's usable ones, likeliest first, each of the major asked for."""
    for binaries, lacking in _look_through(folders(SUPPORTED if major is None else (major,))):
        if lacking:
            _LOGGER.info("Passed over, without %s: %s", ", ".join(lacking), binaries.describe())
        else:
            yield binaries


def find_all() -> list[tuple[Binaries, tuple[str, ...]]]:
    """Give every PostgreSQL that can be seen, with the contrib modules it lacks; unusable ones are left out."""
    found = []
    if given := os.environ.get("PGCONTRACT_PG_BIN"):
        with contextlib.suppress(ServerError):
            binaries = inspect(Path(given).expanduser().absolute(), "given")
            found.append((binaries, missing_extensions(binaries)))
    found += [(binaries, missing_extensions(binaries)) for binaries in installed()]
    return found + list(_look_through(folders(SUPPORTED)))


def _look_through(folders: Iterator[Path]) -> Iterator[tuple[Binaries, tuple[str, ...]]]:
    seen = set()
    for folder in folders:
        real = (folder / "postgres").resolve()
        if real in seen or not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
            continue
        seen.add(real)
        with contextlib.suppress(ServerError):  # too old, or for another machine
            binaries = inspect(folder, "system")
            yield binaries, missing_extensions(binaries)


def folders(majors: tuple[int, ...]) -> Iterator[Path]:
    """Give where distributions put the programs, newest major first; then what the path says, which may be any."""
    for major in sorted(majors, reverse=True):
        yield Path(f"/usr/lib/postgresql/{major}/bin")  # Debian, Ubuntu
        yield Path(f"/usr/pgsql-{major}/bin")  # PostgreSQL's packages for Red Hat's kind
        yield from (Path(prefix) / f"postgresql@{major}" / "bin" for prefix in _PREFIXES)
        yield Path(f"/Applications/Postgres.app/Contents/Versions/{major}/bin")
        yield Path(f"/usr/libexec/postgresql{major}")  # Alpine
    yield from map(Path, os.get_exec_path())
    yield Path("/usr/local/pgsql/bin")
    config = shutil.which("pg_config")
    if config is not None:
        done = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            yield Path(done.stdout.strip())
