"""What GitHub shows of a run: annotations, and the job's summary. Nothing where the run is not on GitHub's machines."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pgcontract.contract import Difference, said_once
from pgcontract.model import Verdict
from pgcontract.mutation import Result as Mutated
from pgcontract.report import drift, mutants
from pgcontract.report.layout import by_cause, listed
from pgcontract.report.terminal import MOST_NAMED, broken_by, lines, summary, unproven_by
from pgcontract.verify import Result

MOST_ANNOTATIONS: Final = 10
"""GitHub shows no more than ten of a step."""
MOST_ROWS: Final = 200
# what a constraint's line goes on with in a contract
_KINDS: Final = ("check", "foreign_key", "primary_key", "unique", "exclude")
_MARKDOWN: Final = str.maketrans({c: f"\\{c}" for c in "\\`*_[]|~#"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to be annotated; ``file`` is where it stands, ``line`` counts from 1; ``shown`` is SQL to show it."""

    level: Literal["error", "warning", "notice"]
    title: str
    message: str
    file: Path | None = None
    line: int | None = None
    shown: str = ""

    def __str__(self) -> str:
        """The workflow command, escaped as GitHub's own toolkit does it."""
        places: dict[str, object] = {"file": self.file, "line": self.line, "title": self.title}
        shown = ",".join(f"{name}={_property(str(value))}" for name, value in places.items() if value is not None)
        return f"::{self.level} {shown}::{_data(chr(10).join(filter(None, (self.message, self.shown))))}"

    def markdown(self) -> str:
        """A point of a list, with its SQL in a block that no text in it can end."""
        point = f"- **{_text(self.title)}**: {_text(self.message)}"
        if not self.shown:
            return point
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", self.shown)), default=0))
        block = "\n".join(f"  {line}" for line in self.shown.splitlines())
        return f"{point}\n\n  {fence}sql\n{block}\n  {fence}\n"


@dataclass(frozen=True, slots=True)
class Told:
    """What a command has to tell: a headline, a table of numbers, and problems."""

    headline: str
    good: bool
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    problems: tuple[Problem, ...] = ()

    def markdown(self) -> str:
        """The job's summary."""
        parts = [f"### {'✅' if self.good else '❌'} {_text(self.headline)}\n"]
        if self.rows:
            ruled = ["---", *("---:" for _ in self.headings[1:])]
            parts.append("\n".join(_row(cells) for cells in (self.headings, ruled, *self.rows)) + "\n")
        if self.problems:
            told = [one.markdown() for one in self.problems[:MOST_ROWS]]
            more = len(self.problems) - MOST_ROWS
            parts.append("\n".join(told + ([f"- and {more} more"] if more > 0 else [])) + "\n")
        return "\n".join(parts) + "\n"

    def tell(self, environment: Mapping[str, str] = os.environ) -> None:
        """Print annotations and add to the summary, if this runs on GitHub."""
        if environment.get("GITHUB_ACTIONS") != "true":
            return
        for problem in self.problems[:MOST_ANNOTATIONS]:
            print(problem)  # noqa: T201 - the runner reads them here
        sys.stdout.flush()
        if place := environment.get("GITHUB_STEP_SUMMARY"):
            with Path(place).open("a", encoding="utf-8") as summary:
                summary.write(self.markdown())


def of_proofs(result: Result, path: str, contract: Path) -> Told:
    """What ``verify`` tells: each broken or unproven promise at its place in the contract, then the drift."""
    new = result.new
    file = _shown(contract)
    places = _lines_of(contract, [*(v.id for v in new), *(d.promise_id for d in result.drift)])
    # what came first has caused the rest, and only a few are shown
    problems = [
        Problem("error", f"drift: {d.promise_id}", str(d), file, places.get(d.promise_id))
        for d in result.drift
        if d.part_of is None and (d.change != "added" or d.breaks)
    ]
    for word, cause in (("broken", broken_by), ("unproven", unproven_by)):
        for _, found in by_cause((v for v in new if v.verdict == word), cause):
            problems.append(_problem(found, file, places.get(found[0].id)))
    problems += [Problem("notice", f"proven again: {id_}", "Take it out of the baseline.") for id_ in result.mended]
    rows = [
        (line.kind, *(f"{n:,}" for n in (line.promises, line.proven, line.broken, line.unproven)))
        for line in lines(result.verdicts)
    ]
    headings = ("kind", "promises", "proven", "broken", "unproven")
    return Told(summary(result, path), result.kept, headings, tuple(rows), tuple(problems))


def of_drift(name: str, differences: Sequence[Difference], contract: Path) -> Told:
    """What ``diff`` tells: an error for what breaks somebody, a warning for the rest."""
    file = _shown(contract)
    places = _lines_of(contract, [d.promise_id for d in differences])
    problems = [
        Problem("error" if d.breaks else "warning", f"drift: {d.promise_id}", str(d), file, places.get(d.promise_id))
        for d in differences
    ]
    return Told(drift.summary(name, differences), not differences, problems=tuple(problems))


def of_mutants(result: Mutated, path: str) -> Told:
    """What ``mutate`` tells: how many mutants of each operator there are, and those that are alive."""
    rows = [
        (score.name, f"{len(score.judged):,}", f"{score.count('killed by proof'):,}") for score in result.by_operator
    ]
    problems = [Problem("warning", f"{j.fate}: {j.id}", j.ddl) for j in result.alive]
    headline = mutants.summary(result, path)
    return Told(headline, not result.alive, ("operator", "mutants", "killed by proof"), tuple(rows), tuple(problems))


def _problem(verdicts: Sequence[Verdict], file: Path | None, line: int | None) -> Problem:
    """Promises of one cause: the first, and the names of the others."""
    first, *others = verdicts
    also = f"; the same of {listed([v.id for v in others], MOST_NAMED)}" if others else ""
    message = f"{said_once(first.reason) or first.clause}{also}"
    return Problem("error", f"{first.verdict}: {first.id}", message, file, line, first.counterexample or "")


def _shown(file: Path) -> Path | None:
    """The file as GitHub names it, from the folder where the job runs; None where it is not there."""
    try:
        return file.resolve().relative_to(Path.cwd()) if file.exists() else None
    except ValueError:
        return None


def _lines_of(contract: Path, ids: Sequence[str]) -> dict[str, int]:
    """Where promises stand in a contract: in their table's section, the line that begins with their own name.

    Only what is surely right: a promise that is written otherwise has the file, and no line.
    """
    try:
        text = contract.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    places: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text, 1):
        if line.startswith("["):
            section = line.strip("[]").removeprefix("tables.public.").rpartition(".")[0]
        elif " = " in line:
            places.setdefault((section, line.partition(" = ")[0]), number)
    found = {}
    for id_ in ids:
        table, _, rest = id_.partition(".")
        for name in (rest, f"{rest.removesuffix('.null')}.not_null", *(f"{rest}.{kind}" for kind in _KINDS)):
            if (table, name) in places:
                found[id_] = places[table, name]
                break
    return found


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _text(text: str) -> str:
    """Text that is no markup: names of a schema may hold anything."""
    return " ".join(text.translate(_MARKDOWN).split())


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell if set(cell) <= set('-:') else _text(cell) for cell in cells)} |"
