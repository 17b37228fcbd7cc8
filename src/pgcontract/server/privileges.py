"""PostgreSQL refuses to run as root: how to run it nevertheless, without leaving root's own files behind."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pgcontract.errors import ServerError

if TYPE_CHECKING:
    from pgcontract.server.versions import Binaries

# copies of programs that lie where only root can go; /var/tmp outlives a restart, and what root owns in it stays root's
PROGRAMS = Path("/var/tmp/pgcontract-0-programs")  # noqa: S108 - its owner is checked


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom programs of a server run: a prefix to their command, or a user to become; neither when not root."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


def choose_identity() -> Identity:
    """Find a way that works here; raises ServerError when root has none.

    A user namespace comes first: for everybody outside it the server is still root, so that it reaches what root
    reaches (a cache under /root) and only root reaches its socket. Containers may forbid that (seccomp, sysctl), and
    old versions of unshare have no --map-user: hence the probe. The server asks for its user's name, so it must be one
    of /etc/passwd.
    """
    if os.geteuid() != 0:
        return Identity()
    user = _unprivileged_user()
    unshare = shutil.which("unshare")
    if unshare is not None:
        prefix = (unshare, "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}", "--")
        probe = subprocess.run([*prefix, "true"], capture_output=True, check=False)
        if probe.returncode == 0:
            return Identity(prefix=prefix)
    return Identity(uid=user.pw_uid, gid=user.pw_gid)


def _unprivileged_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    others = [user for user in pwd.getpwall() if user.pw_uid != 0]
    if not others:
        raise ServerError(
            "PostgreSQL does not run as root, and there is no other user on this machine",
            remedy="add a user (useradd --system postgres), or name a running server with --dsn",
        )
    return others[-1]


def reachable(binaries: Binaries, identity: Identity) -> Binaries:
    """Give these programs where the identity can execute them: a copy, when they lie under a closed folder."""
    if identity.uid is None or _runs(binaries.bin_dir, identity):
        return binaries
    stat = Path(binaries.program("postgres")).stat()
    home = PROGRAMS
    home.mkdir(mode=0o755, exist_ok=True)
    seen = home.lstat()
    if not home.is_dir() or home.is_symlink() or seen.st_uid != 0 or seen.st_mode & 0o022:
        raise ServerError("Somebody else owns the folder for programs", where=str(home), remedy="remove it")
    home.chmod(0o755)
    target = home / f"{binaries.version}-{stat.st_size}-{stat.st_mtime_ns}"
    with FileLock(home / "lock"):
        if not target.is_dir():
            aside = Path(tempfile.mkdtemp(dir=home))
            shutil.copytree(binaries.bin_dir.resolve().parent, aside / "copy", symlinks=True)
            (aside / "copy").chmod(0o755)
            (aside / "copy").rename(target)
            aside.rmdir()
    moved = replace(binaries, bin_dir=target / binaries.bin_dir.name)
    if not _runs(moved.bin_dir, identity):
        raise ServerError(
            "PostgreSQL does not run as root, and another user cannot execute its programs",
            where=binaries.program("postgres"),
            remedy="make the folder readable for all, install the distribution's package, or use --dsn",
        )
    return moved


def _runs(bin_dir: Path, identity: Identity) -> bool:
    try:
        done = subprocess.run(
            [bin_dir / "postgres", "--version"],
            capture_output=True,
            check=False,
            user=identity.uid,
            group=identity.gid,
            extra_groups=[],
            cwd="/",
        )
    except OSError:
        return False
    return done.returncode == 0
