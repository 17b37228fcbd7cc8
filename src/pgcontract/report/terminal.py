"""What ``verify`` prints: the drift, a table by kind, then everything that is broken or unproven."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pgcontract.contract import Difference, said_once
from pgcontract.model import Verdict
from pgcontract.report import drift as drifted
from pgcontract.report.layout import (
    INDENT,
    STYLES,
    Cell,
    Column,
    State,
    by_cause,
    count,
    indented,
    listed,
    marked,
    sum_up,
)
from pgcontract.report.layout import table as fitted
from pgcontract.verify import Result

MOST_DIFFERENCES = 20
MOST_MISSED = 10
MOST_NAMED = 8
STATES: Final[dict[str, State]] = {"proven": "good", "broken": "bad", "unproven": "doubtful", "not covered": "open"}
WEAKER: Final = ("NOT VALID", "NOT ENFORCED")
COLUMNS: Final = (
    Column("kind"),
    *(Column(heading, right=True) for heading in ("promises", "proven", "broken", "unproven")),
    Column("examples", right=True, spare=1),
    Column("seconds", right=True, spare=2),
)
_NO_ROW: Final = re.compile(r"^no row could be inserted into .+?: ")
_REFUSED: Final = re.compile(r"seen: ([0-9A-Z]{5} .*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One kind's numbers."""

    kind: str
    promises: int
    proven: int
    broken: int
    unproven: int
    examples: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Commands:
    """What a person may run next: ``replay`` and ``again`` are beginnings of commands, to which an id is added."""

    path: str
    replay: str


def lines(verdicts: Iterable[Verdict]) -> Iterator[Line]:
    """One line a kind, in the order in which kinds appear; kinds without a module are left to the table's foot."""
    kinds: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.verdict != "not covered":
            kinds.setdefault(verdict.kind, []).append(verdict)
    for kind, found in kinds.items():
        yield _line(kind, found)


def _line(kind: str, found: Sequence[Verdict]) -> Line:
    proven, broken, unproven = (sum(v.verdict == w for v in found) for w in ("proven", "broken", "unproven"))
    examples = sum(v.accepts + v.rejects for v in found)
    return Line(kind, len(found), proven, broken, unproven, examples, sum(v.seconds for v in found))


def table(console: Console, verdicts: Sequence[Verdict]) -> Table:
    """Promises by kind. Seconds are the workers' together."""
    total = _line("all", [v for v in verdicts if v.verdict != "not covered"])
    shown = fitted(console, COLUMNS, [_cells(line) for line in (*lines(verdicts), total)])
    shown.rows[-1].style = "bold"
    return shown


def _cells(line: Line) -> list[Cell]:
    return [
        line.kind,
        f"{line.promises:,}",
        Text(f"{line.proven:,}", style="green" if line.proven == line.promises else ""),
        Text(f"{line.broken:,}", style=STYLES["bad"]) if line.broken else "0",
        Text(f"{line.unproven:,}", style=STYLES["doubtful"]) if line.unproven else "0",
        f"{line.examples:,}",
        f"{line.seconds:.2f}",
    ]


def show_drift(console: Console, differences: Sequence[Difference], meant: str) -> None:
    """Say first that the contract and the live schema differ, then how, and the command for what is ``meant``."""
    if not differences:
        return
    shown = drifted.shown(differences)
    console.print(
        Text(f"The schema has drifted from its contract in {count(len(shown), 'place')}:", style=STYLES["doubtful"])
    )
    drifted.show(console, shown, MOST_DIFFERENCES)
    console.print(Text(f"  if that is meant: {meant}\n", style="dim"), soft_wrap=True)


def show(console: Console, result: Result, commands: Commands, *, quiet: bool, verbose: bool) -> None:
    """Print a result, the last line first in importance and last on the screen."""
    if verbose:
        for verdict in result.verdicts:
            told = f"{verdict.verdict:<12}"
            console.print(marked(console, STATES[verdict.verdict], told, f"{verdict.id}  {verdict.clause}"))
        console.print()
    if not quiet:
        if result.verdicts:
            console.print(table(console, result.verdicts))
        _show_notes(console, result)
        console.print()
    _show_unproven(console, [v for v in result.new if v.verdict == "unproven"], every=verbose)
    for _, found in by_cause((v for v in result.new if v.verdict == "broken"), broken_by):
        for verdict in found if verbose else found[:1]:
            _show_broken(console, verdict, commands)
        if len(found) > 1 and not verbose:
            others = listed([v.id for v in found[1:]], MOST_NAMED)
            console.print(Text(f"  the same breaks {count(len(found) - 1, 'promise')} more: {others}\n"))
    _show_baseline(console, result, commands)
    if (reasons := result.reasons()) and not quiet:
        each = ", ".join(f"{number:,} {reason}" for reason, number in reasons)
        console.print(Text(f"unproven because: {each}", style=STYLES["doubtful"]))
    sum_up(console, summary(result, commands.path), good=result.kept)


def _show_notes(console: Console, result: Result) -> None:
    uncovered = result.of("not covered")
    if uncovered:
        kinds = dict.fromkeys(v.kind for v in uncovered)
        each = ", ".join(f"{sum(v.kind == kind for v in uncovered)} {kind}" for kind in kinds)
        console.print(Text(f"not covered: {len(uncovered)} ({each})", style="dim"))
    told = [(word, sum(f"weaker: {word}" in (v.reason or "") for v in result.verdicts)) for word in WEAKER]
    if any(number for _, number in told):
        each = ", ".join(f"{number} {word}" for word, number in told if number)
        console.print(Text(f"weaker than others, although proven: {each}", style="dim"))
    if result.explored is None:
        return
    explored = result.explored
    tried = explored.steps + sum(explored.refused.values())
    console.print(
        Text(
            f"histories: {explored.histories:,} with {count(tried, 'step')}, {tried - explored.steps:,} of them"
            f" refused; reached {explored.reach}",
            style="dim",
        )
    )
    missed = explored.reach.missed
    if missed:
        more = f" and {len(missed) - MOST_MISSED} more" if len(missed) > MOST_MISSED else ""
        console.print(Text(f"not reached by any history: {'; '.join(missed[:MOST_MISSED])}{more}", style="dim"))


def _show_unproven(console: Console, verdicts: Sequence[Verdict], *, every: bool) -> None:
    """A cause once, with all promises that it leaves unproven."""
    for _, found in by_cause(verdicts, unproven_by):
        first = found[0]
        if len(found) == 1 or every:
            for verdict in found:
                told = f": {_why(verdict)}"
                console.print(marked(console, "doubtful", "unproven ", f"{verdict.id}{told}"))
                if verdict.counterexample is not None:
                    console.print(Text(indented(verdict.counterexample)), soft_wrap=True)
            continue
        reason = f": {_why(first)}"
        console.print(marked(console, "doubtful", "unproven ", f"{count(len(found), 'promise')}{reason}"))
        console.print(Padding(Text(listed([v.id for v in found], MOST_NAMED)), (0, 0, 0, len(INDENT)), expand=False))


def _show_broken(console: Console, verdict: Verdict, commands: Commands) -> None:
    console.print(marked(console, "bad", "broken ", f"{verdict.id} ({verdict.kind}): {verdict.reason}"))
    # a terminal breaks long lines by itself, and what is copied from it has no breaks then
    console.print(Text(indented(verdict.counterexample or "")), soft_wrap=True)
    console.print(Text(f"  replay: {commands.replay} --only {shlex.quote(verdict.id)}\n"), soft_wrap=True)


def _show_baseline(console: Console, result: Result, commands: Commands) -> None:
    """What the list of known promises hides, and what is to be taken out of it."""
    known = [v for v in (*result.of("broken"), *result.of("unproven")) if result.known(v) is not None]
    if known:
        console.print(
            Text(f"known: {count(len(known), 'promise')} of the baseline, broken or unproven as listed", "dim")
        )
    for ids, told in ((result.mended, "is proven again"), (result.gone, "is no promise any more")):
        for id_ in ids:
            console.print(marked(console, "good", f"{id_} {told}", ": take it out of the baseline"))
    if result.mended or result.gone:
        again = f"  next: pgcontract verify {shlex.quote(commands.path)} --shrink-baseline"
        console.print(Text(again, style="dim"), soft_wrap=True)
    if result.new and not result.baseline and not result.drift:
        again = f"  if that is known: pgcontract verify {shlex.quote(commands.path)} --write-baseline"
        console.print(Text(again, style="dim"), soft_wrap=True)


def summary(result: Result, path: str) -> str:
    """The last line."""
    covered = len(result.verdicts) - len(result.of("not covered"))
    counts = [f"{len(result.of('proven')):,} of {count(covered, 'promise')} proven"]
    new = result.new
    counts += [f"{n:,} {word}" for word in ("broken", "unproven") if (n := sum(v.verdict == word for v in new))]
    known = covered - len(result.of("proven")) - len(new)
    counts += [f"{known:,} known"] if known else []
    places = len(drifted.shown(result.drift))
    counts += [f"{count(places, 'difference')} from the contract"] if places else []
    return f"{path}: {', '.join(counts)}, on PostgreSQL {result.postgresql} in {result.seconds:.1f} s"


def _why(verdict: Verdict) -> str:
    """The kind of reason, and the reason."""
    return ": ".join(filter(None, (str(verdict.because or ""), said_once(verdict.reason))))


def unproven_by(verdict: Verdict) -> str:
    """What left a promise unproven, whatever table's rows it kept away; itself where it has a case of its own."""
    if verdict.counterexample is not None:
        return f"{verdict.id} alone"
    return _NO_ROW.sub("", said_once(verdict.reason))


def broken_by(verdict: Verdict) -> str:
    """What the server said, which may break many promises alike; the promise itself where it refused nothing."""
    found = _REFUSED.search(verdict.reason or "")
    return found.group(1) if found else f"{verdict.id} alone"
