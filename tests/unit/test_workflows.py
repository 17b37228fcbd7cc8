"""What runs on GitHub: the whole matrix, with the least rights, and where there are more, nothing of a fork's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pgcontract.server import SUPPORTED

ROOT = Path(__file__).parents[2]
CI = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
COMMENT = (ROOT / ".github" / "workflows" / "comment.yml").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
IN_DOCS = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
WORKFLOWS = {"ci.yml": CI, "comment.yml": COMMENT, "docs": IN_DOCS[0]}


def scripts(workflow: str) -> list[str]:
    """What the shell is given: the text after each ``run:``, with the lines that are indented deeper."""
    found = re.findall(r"^ *(?:- )?run: (?:\|\n((?: {10}.*\n|\n)+)|(.*)\n)", workflow, re.MULTILINE)
    return ["".join(parts) for parts in found]


@pytest.mark.parametrize("name", ["ci.yml", "docs"])
def test_every_major_is_proven_and_reported(name: str) -> None:
    """The matrix is what is supported; the report is made of all, whether or not they are green, and kept."""
    workflow = WORKFLOWS[name]
    majors = re.findall(r"^ +postgresql: \[(.*)\]$", workflow, re.MULTILINE)
    assert majors
    assert all(sorted(map(int, re.findall(r"\d+", one))) == sorted(SUPPORTED) for one in majors)
    report = workflow[workflow.index("\n  report:") :]
    for words in ("needs: proofs", "if: always()", "pgcontract report results/*.json -o report.html", "name: report"):
        assert words in report


def test_every_check_of_tox_runs() -> None:
    """All that tox knows but the matrix of versions and the benchmarks."""
    known = re.findall(r"^\[testenv:(\w+)\]$", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)
    (run,) = re.findall(r"^ +check: \[(.*)\]$", CI, re.MULTILINE)
    assert sorted(run.split(", ")) == sorted(known)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_that_others_wrote_reaches_a_shell_as_text(name: str) -> None:
    """A branch's name may hold a command: what GitHub knows comes by the environment, and is quoted."""
    found = scripts(WORKFLOWS[name])
    assert found
    assert not any("${{" in script for script in found if "tox run" not in script)
    assert re.findall(r"\$\{\{ matrix\.\w+ \}\}", "".join(found)) == re.findall(r"\$\{\{.*?\}\}", "".join(found))


@pytest.mark.parametrize("name", ["ci.yml", "docs"])
def test_what_runs_the_code_of_pull_requests_may_only_read(name: str) -> None:
    """No job asks for more, no token is left in the checkout, no secret is used."""
    workflow = WORKFLOWS[name]
    assert re.findall(r"^permissions:\n((?: +.*\n)+)", workflow, re.MULTILINE) == ["  contents: read\n"]
    assert workflow.count("permissions:") == 1
    assert "pull_request_target" not in workflow
    assert "secrets." not in workflow
    checkouts = workflow.count("uses: actions/checkout@")
    assert checkouts == workflow.count("persist-credentials: false")


def test_what_may_comment_runs_nothing_of_a_pull_request() -> None:
    """It checks nothing out and installs nothing; its rights are two, and which pull request it is says GitHub."""
    assert "workflow_run:" in COMMENT
    assert "\npermissions: {}\n" in COMMENT
    assert re.findall(r"^    permissions:\n((?:      .*\n)+)", COMMENT, re.MULTILINE) == [
        "      actions: read\n      pull-requests: write\n"
    ]
    for words in ("checkout", "setup-python", "pip ", "pgcontract verify", "cache@"):
        assert words not in COMMENT
    assert "select(.head.sha == env.HEAD_SHA)" in COMMENT
    assert "sed 's/^/    /'" in COMMENT


def test_the_workflow_to_be_copied_is_the_one_that_runs_here() -> None:
    """The comment's, word for word."""
    assert IN_DOCS[1] == COMMENT
