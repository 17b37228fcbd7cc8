"""What ``verify`` prints: a table by kind, then everything that is broken or unproven."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgcontract.contract import Difference
from pgcontract.model import Verdict
from pgcontract.verify import Result

MOST_DIFFERENCES = 20
MOST_MISSED = 10


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


def lines(verdicts: Iterable[Verdict]) -> Iterator[Line]:
    """One line a kind, in the order in which kinds appear; kinds without a module are left to the table's foot."""
    kinds: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.verdict != "not covered":
            kinds.setdefault(verdict.kind, []).append(verdict)
    for kind, found in kinds.items():
        proven, broken, unproven = (sum(v.verdict == w for v in found) for w in ("proven", "broken", "unproven"))
        examples = sum(v.accepts + v.rejects for v in found)
        yield Line(kind, len(found), proven, broken, unproven, examples, sum(v.seconds for v in found))


def table(verdicts: Sequence[Verdict]) -> Table:
    """Promises by kind. Seconds are the workers' together."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("kind", no_wrap=True)
    for heading in ("promises", "proven", "broken", "unproven", "examples", "seconds"):
        shown.add_column(heading, justify="right", no_wrap=True)
    found = list(lines(verdicts))
    for line in found:
        shown.add_row(*_cells(line))
    total = Line(
        "all",
        sum(line.promises for line in found),
        sum(line.proven for line in found),
        sum(line.broken for line in found),
        sum(line.unproven for line in found),
        sum(line.examples for line in found),
        sum(line.seconds for line in found),
    )
    shown.add_row(*_cells(total), style="bold")
    return shown


def _cells(line: Line) -> list[Text | str]:
    return [
        line.kind,
        f"{line.promises:,}",
        Text(f"{line.proven:,}", style="green" if line.proven == line.promises else ""),
        Text(f"{line.broken:,}", style="red bold") if line.broken else "0",
        Text(f"{line.unproven:,}", style="yellow") if line.unproven else "0",
        f"{line.examples:,}",
        f"{line.seconds:.2f}",
    ]


def show_drift(console: Console, drift: Sequence[Difference]) -> None:
    """Say first that the contract and the live schema differ, then how."""
    if not drift:
        return
    console.print(Text(f"The schema has drifted from its contract in {_count(len(drift), 'place')}:", style="yellow"))
    for difference in drift[:MOST_DIFFERENCES]:
        console.print(Text(f"  {difference}"))
    if len(drift) > MOST_DIFFERENCES:
        console.print(f"  … and {len(drift) - MOST_DIFFERENCES} more: pgcontract diff shows all.")
    console.print()


def show(console: Console, result: Result, path: str, *, quiet: bool, verbose: bool, replay: str) -> None:
    """Print a result. ``replay`` is the command's beginning that repeats it, to which an id is added."""
    if verbose:
        for verdict in result.verdicts:
            console.print(Text(f"{verdict.verdict:<12}{verdict.id}  {verdict.clause}"))
        console.print()
    if not quiet:
        console.print(table(result.verdicts))
        _show_foot(console, result)
        console.print()
    for verdict in result.of("unproven"):
        console.print(Text.assemble(("unproven ", "yellow"), f"{verdict.id}: {verdict.because}: {verdict.reason}"))
        if verdict.counterexample is not None:
            console.print(Text(_indented(verdict.counterexample)))
    for verdict in result.of("broken"):
        console.print(Text.assemble(("broken ", "red bold"), f"{verdict.id} ({verdict.kind}): {verdict.reason}"))
        console.print(Text(_indented(verdict.counterexample or "")))
        console.print(Text(f"  replay: {replay} --only {shlex.quote(verdict.id)}\n"))
    if (reasons := result.reasons()) and not quiet:
        each = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
        console.print(Text(f"unproven because: {each}", style="yellow"))
    console.print(Text(summary(result, path), style="green" if result.kept else "red"))


def _show_foot(console: Console, result: Result) -> None:
    """What is not covered by the table, and how far the histories came."""
    uncovered = result.of("not covered")
    if uncovered:
        kinds = dict.fromkeys(v.kind for v in uncovered)
        each = ", ".join(f"{sum(v.kind == kind for v in uncovered)} {kind}" for kind in kinds)
        console.print(Text(f"not covered: {len(uncovered)} ({each})", style="dim"))
    if result.explored is not None:
        explored = result.explored
        tried = explored.steps + sum(explored.refused.values())
        console.print(
            Text(
                f"histories: {explored.histories:,} with {tried:,} steps, {tried - explored.steps:,} of them"
                f" refused; reached {explored.reach}",
                style="dim",
            )
        )
    missed = result.explored.reach.missed if result.explored is not None else ()
    if missed:
        more = f" and {len(missed) - MOST_MISSED} more" if len(missed) > MOST_MISSED else ""
        console.print(Text(f"not reached by any history: {'; '.join(missed[:MOST_MISSED])}{more}", style="dim"))


def summary(result: Result, path: str) -> str:
    """The last line."""
    covered = len(result.verdicts) - len(result.of("not covered"))
    counts = [f"{len(result.of('proven'))} of {_count(covered, 'promise')} proven"]
    counts += [f"{len(found)} {word}" for word in ("broken", "unproven") if (found := result.of(word))]
    counts += [f"{_count(len(result.drift), 'difference')} to the contract"] if result.drift else []
    return f"{path}: {', '.join(counts)}, on PostgreSQL {result.postgresql} in {result.seconds:.1f} s"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
