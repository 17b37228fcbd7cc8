"""What ``mutate`` prints: scores, by operator and with more words by kind, then everything that is alive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgcontract.mutation import Result, Score
from pgcontract.mutation.result import Fate
from pgcontract.report.layout import STYLES, Cell, Column, State, marked, sum_up
from pgcontract.report.layout import table as fitted
from pgcontract.signs import count

STATES: Final[dict[Fate, State]] = {
    "killed by proof": "good",
    "killed by drift only": "doubtful",
    "survived": "doubtful",
    "equivalent": "open",
    "impaired": "open",
}
FATES: Final = tuple(STATES)
COLUMNS: Final = (
    *(Column(heading, right=True) for heading in ("mutants", "proof", "drift only", "survived")),
    Column("equivalent", right=True, spare=2),
    Column("impaired", right=True, spare=1),
    Column("score", right=True),
    Column("seconds", right=True, spare=3),
)
MOST_SLOW: Final = 10


def table(console: Console, result: Result, heading: str, scores: Sequence[Score]) -> Table:
    """Mutants by operator or by kind, and what became of them."""
    rows = [_cells(score) for score in (*scores, Score("all", result.judged))]
    shown = fitted(console, (Column(heading), *COLUMNS), rows)
    shown.rows[-1].style = "bold"
    return shown


def slowest(console: Console, result: Result) -> Table:
    """The kills that took longest, and what noticed them."""
    columns = (Column("slowest kills", fold=True), Column("killed by", fold=True), Column("seconds", right=True))
    rows = [(j.id, j.killer or "", f"{j.seconds:.2f}") for j in result.slowest(MOST_SLOW)]
    return fitted(console, columns, rows)


def _cells(score: Score) -> list[Cell]:
    counts = [score.count(fate) for fate in FATES]
    part = "-" if score.part is None else f"{100 * score.part:.1f} %"
    alive = [Text(f"{count:,}", style=STYLES["doubtful"] if count else "") for count in counts[1:3]]
    numbers: list[Cell] = [f"{len(score.judged):,}", f"{counts[0]:,}", *alive, *(f"{c:,}" for c in counts[3:])]
    return [score.name, *numbers, part, f"{score.seconds:.1f}"]


def show(console: Console, result: Result, path: str, *, again: str, quiet: bool, verbose: bool) -> None:
    """Print a result. ``again`` is the command's beginning that tries harder, to which an id is added."""
    if verbose:
        for judged in result.judged:
            told = f"{judged.fate:<22}"
            console.print(marked(console, STATES[judged.fate], told, f"{judged.id}  {judged.killer or judged.reason}"))
        console.print()
    if not quiet:
        tables = [table(console, result, "operator", result.by_operator)]
        tables += [table(console, result, "kind", result.by_kind), slowest(console, result)] if verbose else []
        for one in tables:
            console.print(one)
            console.print()
    for judged in result.alive:
        console.print(marked(console, "doubtful", f"{judged.fate} ", judged.id))
        console.print(Text(f"{judged.details(again)}\n"), soft_wrap=True)
    for id_ in result.stale:
        console.print(marked(console, "doubtful", "no survivor ", f"{id_}: survivors.toml lists it without need"))
    for index in result.unjustified:
        why = "no hot query names it, no foreign key is looked up by it, and it keeps nothing unique"
        console.print(marked(console, "doubtful", "unjustified ", f"{index}: {why}"))
    sum_up(console, summary(result, path), good=not result.alive)


def summary(result: Result, path: str) -> str:
    """The last line."""
    counting = sum(j.counts for j in result.judged)
    listed = sum(j.listed is not None for j in result.of("survived", "killed by drift only"))
    killed = f"{len(result.of('killed by proof')):,} of {count(counting, 'mutant')} killed by proof"
    parts = [f"{killed} ({100 * result.score:.1f} %)"]
    parts += [f"{listed} listed as survivors"] if listed else []
    parts += [f"{len(found):,} {fate}" for fate in ("equivalent", "impaired") if (found := result.of(fate))]
    return f"{path}: {', '.join(parts)}, on PostgreSQL {result.postgresql} in {result.seconds:.1f} s"
