"""The folders that servers live in: the user's cache, memory or disk for a run, and a short one for sockets."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

import platformdirs

from pgcontract.errors import ServerError

# A run grows: a cluster is 30 to 40 MB and each clone about 10 MB, and Docker's default of 64 MB for /dev/shm is too
# small for any of it.
MEMORY_WANTED = 512 * 1024 * 1024
# sun_path holds 108 bytes on Linux and 104 on macOS, with the closing NUL
SOCKET_PATH_LIMIT = 103
SOCKET_NAME = ".s.PGSQL.5432"
# libpq takes a comma in `host` for a list, and unix_socket_directories splits at commas and trims spaces
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./+-]+")


def cache_root() -> Path:
    """Give the folder that outlives runs: PGCONTRACT_CACHE, or the user's cache folder."""
    named = os.environ.get("PGCONTRACT_CACHE")
    return Path(named).absolute() if named else Path(platformdirs.user_cache_dir("pgcontract"))


def make_cache_folder(*parts: str) -> Path:
    """Make and give a folder in the cache; raises ServerError when that is impossible."""
    folder = cache_root().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise unwritable(folder, PermissionError("not writable"))
    return folder


def unwritable(where: Path, error: OSError) -> ServerError:
    """Make the error for a cache that cannot be written: no right to, or no space left."""
    return ServerError(
        "The cache folder cannot be written",
        where=str(where),
        seen=error.strerror or str(error),
        remedy="make space or give the right to write there, or set PGCONTRACT_CACHE to another folder",
    )


def _memory_limit_left() -> int | None:
    """Give the bytes that this container may still use (cgroup v2), None where nothing limits it.

    Pages of a memory file system count towards this limit, whatever size the file system itself claims.
    """
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        lines = Path("/sys/fs/cgroup/memory.stat").read_text().splitlines()
    except OSError:
        return None
    # what was read from files and not lately used is given back when it is needed
    spare = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    return None if limit == "max" else int(limit) - used + spare


def memory_folder() -> Path | None:
    """Give /dev/shm where it really is memory, writable and large enough, else None."""
    shm = Path("/dev/shm")  # noqa: S108 - used only through a private folder whose owner is checked
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        room = os.statvfs(shm)
    except OSError:
        return None
    kinds = [fields[2] for fields in map(str.split, mounts) if fields[1] == str(shm)]
    if kinds[-1:] != ["tmpfs"] or not os.access(shm, os.W_OK | os.X_OK):
        return None
    left = _memory_limit_left()
    if room.f_bavail * room.f_frsize < MEMORY_WANTED or (left is not None and left < 2 * MEMORY_WANTED):
        return None
    return shm


def private_folder(parent: Path) -> Path | None:
    """Make or take this user's folder under a folder that others may write to; None if it cannot be trusted.

    Somebody else could have made the name first, or put a link there: then the folder is not ours and is not used.
    Root's folder may be passed through (not listed), for a server that runs as another user.
    """
    folder = parent / f"pgcontract-{os.geteuid()}"
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        folder.mkdir(mode=mode)
        folder.chmod(mode)  # whatever the umask took away
    except FileExistsError:
        pass
    except OSError:
        return None
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def all_run_roots() -> list[Path]:
    """Give every folder that runs of this user may lie in, the one to use first first.

    PGCONTRACT_DATA names the only one; raises ServerError when it cannot be used.
    """
    if named := os.environ.get("PGCONTRACT_DATA"):
        folder = private_folder(Path(named).absolute())
        if folder is None:
            raise ServerError(
                "The folder for servers' data cannot be used",
                where=named,
                seen="it is not there, cannot be written to, or what is ours in it belongs to somebody else",
                remedy="set PGCONTRACT_DATA to a folder that is there and that you can write to, or unset it",
            )
        return [folder]
    parents = [memory_folder(), Path(tempfile.gettempdir()).absolute()]
    return [folder for parent in parents if parent and (folder := private_folder(parent))]


def socket_fits(folder: Path) -> bool:
    """Tell whether a server's socket can lie in this folder and be named in a connection string."""
    path = str(folder / SOCKET_NAME)
    return len(os.fsencode(path)) <= SOCKET_PATH_LIMIT and _SAFE_PATH.fullmatch(path) is not None


def make_socket_folder() -> Path:
    """Make a short private folder for a socket whose run lies under a long or odd path; raises ServerError."""
    tried = []
    for parent in ("/tmp", "/var/tmp", "/dev/shm", os.environ.get("XDG_RUNTIME_DIR", "")):  # noqa: S108 - mkdtemp
        if not parent or not socket_fits(Path(parent) / "pgcontract-12345678"):
            continue
        try:
            return Path(tempfile.mkdtemp(prefix="pgcontract-", dir=parent))
        except OSError as error:
            tried.append(f"{parent}: {error.strerror}")
    raise ServerError(
        "No short folder for the server's Unix socket", seen="; ".join(tried) or None, remedy="make /tmp writable"
    )
