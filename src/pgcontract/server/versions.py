"""Which major versions are supported, and what makes a folder of programs one of them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pgcontract.errors import ServerError

SUPPORTED = (15, 16, 17, 18)
DEFAULT_MAJOR = 18
# contrib modules that schemas commonly build on; a server without them cannot hold such a schema at all
EXTENSIONS = ("pgcrypto", "uuid-ossp", "pg_trgm", "pg_stat_statements", "citext", "hstore", "btree_gist")

_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)(?:\.\d+|beta\d+|rc\d+|devel)?)")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL: the folder of its programs, its major and full version, and where it was found.

    ``source`` is one of ``given`` (argument or environment), ``cache`` (installed by this project), ``system``.
    """

    bin_dir: Path
    major: int
    version: str
    source: str = "system"

    def program(self, name: str) -> str:
        """Give the path of one of its programs."""
        return str(self.bin_dir / name)

    def describe(self) -> str:
        """Say in a few words which one this is."""
        return f"PostgreSQL {self.version} ({self.source}: {self.bin_dir})"


def read_version(bin_dir: Path) -> tuple[int, str]:
    """Ask ``postgres --version``: (major, version); raises ServerError when it does not run or does not say."""
    program = bin_dir / "postgres"
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(
            "A PostgreSQL program does not run", where=str(program), seen=type(error).__name__ + ": " + str(error)
        ) from error
    found = _VERSION.search(done.stdout)
    if done.returncode != 0 or found is None:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ServerError(
            "A PostgreSQL program does not say its version",
            where=str(program),
            seen=lines[-1] if lines else f"exit code {done.returncode}",
        )
    return int(found[2]), found[1]


def inspect(bin_dir: Path, source: str) -> Binaries:
    """Look at a folder of programs; raises ServerError when it is not a server or not a supported one."""
    missing = [name for name in ("postgres", "initdb") if not (bin_dir / name).is_file()]
    if missing:
        raise ServerError(
            "This folder does not hold the programs of a PostgreSQL server",
            where=str(bin_dir),
            seen="without " + " and ".join(missing),
            remedy="name the folder that holds both initdb and postgres",
        )
    major, version = read_version(bin_dir)
    if major not in SUPPORTED:
        raise ServerError(
            "This major version of PostgreSQL is not supported",
            where=str(bin_dir),
            seen=version,
            remedy="use one of " + ", ".join(map(str, SUPPORTED)),
        )
    return Binaries(bin_dir, major, version, source)


def missing_extensions(binaries: Binaries) -> tuple[str, ...]:
    """Give those of EXTENSIONS that this server has no control file for.

    The folder of control files depends on the distribution: beside ``bin`` where PostgreSQL is installed by itself,
    under ``/usr/share`` on Debian, Fedora and FreeBSD's kind, with the version in its name on Debian and Homebrew.
    """
    prefix, major = binaries.bin_dir.resolve().parent, binaries.major
    shares = [
        prefix / "share" / "postgresql",
        prefix / "share" / f"postgresql@{major}",
        prefix / "share",
        prefix / "share" / "pgsql",
        Path(f"/usr/share/postgresql/{major}"),
    ]
    for share in shares:
        if (share / "extension" / "plpgsql.control").is_file():
            return tuple(name for name in EXTENSIONS if not (share / "extension" / f"{name}.control").is_file())
    return EXTENSIONS
