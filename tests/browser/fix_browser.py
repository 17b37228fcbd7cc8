"""A headless Chromium: the machine's own, or one that is fetched as PostgreSQL is, from npm, without root.

The npm package ``@sparticuz/chromium`` carries a whole build (Chromium is BSD-3-Clause, the package MIT), with the few
libraries and the font that a bare machine may lack; it is unpacked by the Node.js that playwright brings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from pgcontract.report.html import document, page, read_results
from pgcontract.server import places
from pgcontract.server.npm import find_npm
from tests.browser.shop import make_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = "@sparticuz/chromium@147.0.0"
AXE = "axe-core@4.14.1"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# in a container there is no sandbox, and what it would report home is no business of a test
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
UNPACK = """
const [fs, zlib] = [require("fs"), require("zlib")];
for (const name of fs.readdirSync(".").filter((one) => one.endsWith(".br"))) {
  fs.writeFileSync(name.slice(0, -3), zlib.brotliDecompressSync(fs.readFileSync(name)));
  fs.unlinkSync(name);
}
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    # only the browser's environment of tox has it, and other runs collect this file, too
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    program, environment = _chromium()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=ARGUMENTS, env=environment)
        yield found
        found.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core (MPL-2.0), which finds what people who cannot see or point would stumble over."""
    return (_package(AXE) / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def shop_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the commands found of the shop."""
    return make_results(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def shop_report(shop_results: Path) -> Path:
    """The report on it."""
    path = shop_results.parent / "report.html"
    made = document(read_results([shop_results]), made="2026-01-02T03:04:05+00:00", version="0")
    path.write_text(page(made), encoding="utf-8")
    return path


def _chromium() -> tuple[Path, dict[str, str | float | bool]]:
    """The program, and the environment that it needs. Raises ServerError where npm fails."""
    given = os.environ.get("PGCONTRACT_CHROMIUM")
    known = next(filter(None, map(shutil.which, [given] if given else NAMES)), None)
    if known is not None:
        return Path(known), {**os.environ}
    folder = _package(CHROMIUM) / "bin"
    fonts = f"<fontconfig><dir>{folder / 'fonts'}</dir><cachedir>{folder / 'font-cache'}</cachedir></fontconfig>"
    (folder / "own-fonts.conf").write_text(fonts, encoding="utf-8")
    own = {"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_FILE": str(folder / "own-fonts.conf")}
    return folder / "chromium", {**os.environ, **own}


def _package(name: str) -> Path:
    """An npm package in the user's cache, whole or not at all, with what is packed in it unpacked."""
    cache = places.make_cache_folder()
    target = cache / "npm" / name.replace("/", "+")
    with FileLock(cache / "npm-packages.lock", mode=0o600):
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as aside:
                tarball = find_npm().pack(name, Path(aside), lambda _bytes: None)
                with tarfile.open(tarball) as archive:
                    archive.extractall(Path(aside) / "whole", filter="data")
                _unpack(Path(aside) / "whole" / "package" / "bin")
                (Path(aside) / "whole" / "package").rename(target)
    return target


def _unpack(folder: Path) -> None:
    """What Brotli packed, which Python cannot read and Node.js can."""
    if not folder.is_dir() or not list(folder.glob("*.br")):
        return
    from playwright._impl._driver import compute_driver_executable  # noqa: PLC0415 - it tells no other way

    node, _ = compute_driver_executable()
    subprocess.run([node, "-e", UNPACK], cwd=folder, check=True)
    for tarball in folder.glob("*.tar"):
        with tarfile.open(tarball) as archive:
            archive.extractall(folder, filter="data")
        tarball.unlink()
    (folder / "chromium").chmod(0o755)
