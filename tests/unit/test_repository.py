"""What the repository says in several places, it says alike."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pgcontract.server import SUPPORTED
from pgcontract.system import System, configured

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
TOX = (ROOT / "tox.ini").read_text()
README = (ROOT / "README.md").read_text()


def listed(text: str, key: str) -> list[str]:
    """A list of quoted values in the workflow's matrix."""
    found = re.search(rf"{key}: \[(.*)\]", text)
    assert found is not None
    return re.findall(r'"([^"]+)"', found[1])


def test_every_supported_major_is_in_the_matrices() -> None:
    """The workflow and tox run all of them."""
    majors = [str(major) for major in SUPPORTED]
    assert listed(WORKFLOW, "postgresql") == majors
    assert f"pg{{{','.join(majors)}}}" in TOX
    options = '-m "not perf and not browser" --contract-examples 50 --durations 25 {posargs}'
    for major in majors:
        assert f"pg{major}: pytest --pg {major} {options}" in TOX


def test_plain_pytest_leaves_out_what_ci_runs_and_what_is_measured() -> None:
    """Every marker is said once; the command line's `-m` takes the place of the configured one."""
    settings = PROJECT["tool"]["pytest"]["ini_options"]
    assert settings["addopts"][-2:] == ["-m", "not perf and not thorough and not browser"]
    assert sorted(marker.partition(":")[0] for marker in settings["markers"]) == ["browser", "perf", "thorough"]


def test_every_python_is_in_the_matrices() -> None:
    """Classifiers, tox and the workflow name the same versions."""
    named = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert listed(WORKFLOW, "python") == named
    assert f"py{{{','.join(v.replace('.', '') for v in named)}}}" in TOX
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"


def test_ci_runs_the_readmes_test_command() -> None:
    """The one line that .ci/run looks for is there once."""
    lines = [line for line in README.splitlines() if re.fullmatch(r"python3 -m venv .* pytest", line)]
    assert len(lines) == 1


def test_every_shipped_system_is_under_contract() -> None:
    """What stands under schema/ is configured, and frozen."""
    folders = sorted(path for path in (ROOT / "schema").iterdir() if path.is_dir())
    assert sorted(configured(ROOT)) == folders
    assert all(System.load(folder).contract.exists() for folder in folders)


def test_no_module_grows_past_five_hundred_lines() -> None:
    """Larger ones are split by noun."""
    counted = {path: len(path.read_text().splitlines()) for path in ROOT.glob("src/**/*.py")}
    assert {str(path): lines for path, lines in counted.items() if lines > 500} == {}
