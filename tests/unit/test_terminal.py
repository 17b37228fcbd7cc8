"""What `verify` tells, on a terminal and to GitHub: one cause once, what is known apart, and nothing that is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pgcontract.contract import Baseline, Difference
from pgcontract.model import Verdict
from pgcontract.report import github, terminal
from pgcontract.verify import Result

REFUSED = (
    "accepts: no row could be inserted into {0}: P0001 sealed; rejects: no row could be inserted into {0}: P0001 sealed"
)
RAISES = "promised: accepted; seen: P0001 nobody may"


def verdict(id_: str, said: Literal["proven", "broken", "unproven"], reason: str | None = None) -> Verdict:
    """What was found of one promise."""
    return Verdict(
        id_, "check", "CHECK (true)", said, reason=reason, counterexample="SELECT 1;" if said == "broken" else None
    )


def result(*verdicts: Verdict, **rest: object) -> Result:
    """A result of these."""
    return Result("18.4", "shop", 1.0, verdicts, **rest)  # type: ignore[arg-type]


def shown(found: Result, *, width: int = 80, verbose: bool = False) -> str:
    """What a person reads."""
    console = Console(file=StringIO(), record=True, width=width, highlight=False)
    terminal.show(console, found, terminal.Commands("db", "pgcontract verify db"), quiet=False, verbose=verbose)
    return console.export_text()


def test_a_cause_is_told_once_with_all_that_it_leaves_unproven() -> None:
    """Whatever table's rows it keeps away, and whatever directions; with --verbose each promise has its line."""
    many = [verdict(f"{t}.c{n}", "unproven", REFUSED.format(t)) for t in ("a", "b") for n in range(6)]
    other = verdict("z", "unproven", "rejects: another constraint is first")
    text = shown(result(*many, other))
    assert text.count("sealed") == 1
    assert "unproven 12 promises: no row could be inserted into a: P0001 sealed" in text
    assert "a.c0, a.c1, a.c2" in text
    assert "and 4 more" in text
    assert "unproven z: another constraint is first" in text
    assert shown(result(*many, other), verbose=True).count("sealed") == 12


def test_what_one_refusal_breaks_is_shown_by_one_counterexample() -> None:
    """The others are named; promises that nothing refused have each their own."""
    many = [verdict(f"a.c{n}", "broken", RAISES) for n in range(4)]
    wrong = [verdict(f"b.c{n}", "broken", "promised: one row; seen: accepted, but with another result") for n in (1, 2)]
    text = shown(result(*many, *wrong))
    assert text.count("SELECT 1;") == 3
    assert "the same breaks 3 promises more: a.c1, a.c2, a.c3" in text
    assert "replay: pgcontract verify db --only a.c0" in text
    assert "✗ db: 0 of 6 promises proven, 6 broken, on PostgreSQL 18.4 in 1.0 s" in text


def test_what_is_known_is_counted_and_what_is_mended_is_told() -> None:
    """It fails nothing; a listed promise that is proven again is named, with the command that takes it out."""
    baseline = Baseline({"a": "since 2019", "b": "since 2020"}, {"c": "no row"})
    found = result(
        verdict("a", "broken", RAISES), verdict("b", "proven"), verdict("c", "unproven", "no row"), baseline=baseline
    )
    assert found.kept
    text = shown(found)
    assert "nobody may" not in text
    assert "✓ b is proven again: take it out of the baseline" in text
    assert "pgcontract verify db --shrink-baseline" in text
    assert "✓ db: 1 of 3 promises proven, 2 known, on PostgreSQL 18.4" in text
    worse = result(verdict("c", "broken", RAISES), baseline=baseline)
    assert not worse.kept
    assert "broken c" in shown(worse)


@pytest.mark.parametrize(
    ("change", "breaks", "kept"),
    [("added", (), True), ("added", ("writers",), False), ("changed", (), False), ("removed", (), False)],
)
def test_additions_fail_where_they_break_somebody(
    change: Literal["added", "removed", "changed"], breaks: tuple[Literal["readers", "writers"], ...], kept: bool
) -> None:
    """What was frozen and is gone or changed fails always."""
    difference = Difference("check", "a.chk", change, "CHECK (a)", "CHECK (b)", breaks=breaks)
    assert result(verdict("a", "proven"), drift=(difference,)).kept is kept


@pytest.mark.parametrize("width", [80, 120])
def test_tables_and_last_lines_fit(width: int) -> None:
    """SQL is not broken into lines: it is to be pasted."""
    sql = "SELECT " + "1 + " * 60 + "1;"
    broken = Verdict("a.c", "default privilege", "x", "broken", reason=RAISES, counterexample=sql)
    lines = shown(result(broken, *(verdict(f"b{n}", "proven") for n in range(1200))), width=width).splitlines()
    assert all(len(line.rstrip()) <= width for line in lines if "1 + 1" not in line)
    assert f"    {sql}" in lines


def test_annotations_are_escaped_as_github_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A counterexample of many lines is one annotation; commas and colons in a name end no property."""
    told = github.Told("shop", good=False, problems=(github.Problem("error", "a,b: 100%", "x\ny::z\r%", Path("c,d")),))
    told.tell({"GITHUB_ACTIONS": "true"})
    assert capsys.readouterr().out == "::error file=c%2Cd,title=a%2Cb%3A 100%25::x%0Ay::z%0D%25\n"
    summary = tmp_path / "summary.md"
    told.tell({"GITHUB_STEP_SUMMARY": str(summary)})
    assert capsys.readouterr().out == ""
    assert not summary.exists(), "not on GitHub"


@given(st.text())
def test_no_name_is_a_workflow_command_of_its_own(text: str) -> None:
    """Whatever a schema calls its things: one line, and one command."""
    line = str(github.Problem("error", text, text))
    assert len(re.split(r"[\r\n]", line)) == 1
    assert line.startswith("::error title=")


def test_the_summary_is_a_table_and_what_is_broken(tmp_path: Path) -> None:
    """It is added to what is there; names are no markup."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    evil = replace(verdict("a|b<script>`x`[y](z)", "broken", RAISES), counterexample="SELECT '```';")
    github.of_proofs(result(evil, verdict("b", "proven")), "db", tmp_path / "contract.toml").tell(
        {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    )
    text = summary.read_text()
    assert text.startswith("before\n### ❌ db: 1 of 2 promises proven, 1 broken, on PostgreSQL 18.4")
    headings = "| kind | promises | proven | broken | unproven |\n| --- | ---: | ---: | ---: | ---: |\n"
    assert f"{headings}| check | 2 | 1 | 1 | 0 |" in text
    assert "<script>" not in text
    assert "\n  ````sql\n  SELECT '```';\n  ````\n" in text
    assert "a\\|b&lt;script&gt;\\`x\\`\\[y\\](z)" in text


def test_what_came_first_is_annotated_first_and_a_cause_once(tmp_path: Path) -> None:
    """GitHub shows ten: the drift, then one for each cause, with the names of the others."""
    gone = Difference("table", "b", "removed", "TABLE b", None, breaks=("readers",))
    many = [verdict(f"b.c{n}", "unproven", "accepts: the table is gone") for n in range(20)]
    found = github.of_proofs(result(*many, verdict("b", "broken", RAISES), drift=(gone,)), "db", tmp_path / "none.toml")
    assert [one.title for one in found.problems] == ["drift: b", "broken: b", "unproven: b.c0"]
    assert "the same of b.c1, b.c2" in found.problems[2].message


def test_an_annotation_stands_at_the_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its line of the contract, in the file as GitHub names it; only where that line is surely the right one."""
    monkeypatch.chdir(tmp_path)
    contract = tmp_path / "db" / "contract.toml"
    contract.parent.mkdir()
    contract.write_text(
        '[tables.public.jobs.columns]\nid.type = "uuid"\nid.not_null = true\nnote.not_null = false\n\n'
        '[tables.public.jobs.constraints]\nchk.check = "true"\nfk.foreign_key = {}\nfk.on_delete = "CASCADE"\n\n'
        '[tables.public.jobs_old.columns]\nid.type = "uuid"\n'
    )
    ids = [
        "jobs.id.type",
        "jobs.note.null",
        "jobs.chk",
        "jobs.fk",
        "jobs.fk.on_delete",
        "jobs_old.id.type",
        "public f()",
    ]
    verdicts = [verdict(id_, "broken", f"promised: accepted; seen: P000{n} no") for n, id_ in enumerate(ids)]
    found = github.of_proofs(result(*verdicts), "db", contract)
    assert [one.line for one in found.problems] == [2, 4, 7, 8, 9, 12, None]
    assert {str(one.file) for one in found.problems} == {"db/contract.toml"}
    changed = [Difference("check", id_, "changed", "true", "false") for id_ in ids]
    assert [one.line for one in github.of_drift("db", changed, contract).problems] == [2, 4, 7, 8, 9, 12, None]
    drifted = github.of_proofs(result(verdict("b", "proven"), drift=tuple(changed)), "db", contract)
    assert [one.line for one in drifted.problems] == [2, 4, 7, 8, 9, 12, None]
