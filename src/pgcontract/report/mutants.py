"""What ``mutate`` prints: a table by operator, then everything that is alive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgcontract.mutation import Judged, Result
from pgcontract.report.layout import STYLES, Cell, Column, State, by_cause, marked, sum_up
from pgcontract.report.layout import table as fitted
from pgcontract.signs import count

STATES: Final[dict[str, State]] = {
    "killed by proof": "good",
    "killed by drift only": "doubtful",
    "survived": "doubtful",
    "equivalent": "open",
    "impaired": "open",
}
FATES: Final = tuple(STATES)
COLUMNS: Final = (
    Column("operator"),
    *(Column(heading, right=True) for heading in ("mutants", "proof", "drift only", "survived")),
    Column("equivalent", right=True, spare=2),
    Column("impaired", right=True, spare=1),
    Column("score", right=True),
)


def table(console: Console, judged: Sequence[Judged]) -> Table:
    """Mutants by operator and what became of them."""
    by_operator = by_cause(sorted(judged, key=lambda j: j.operator), lambda j: j.operator)
    rows = [_cells(operator, found) for operator, found in by_operator]
    shown = fitted(console, COLUMNS, [*rows, _cells("all", judged)])
    shown.rows[-1].style = "bold"
    return shown


def _cells(operator: str, judged: Sequence[Judged]) -> list[Cell]:
    counts = [sum(j.fate == fate for j in judged) for fate in FATES]
    counting = sum(j.counts for j in judged)
    score = f"{100 * counts[0] / counting:.1f} %" if counting else "-"
    alive = [Text(f"{count:,}", style=STYLES["doubtful"] if count else "") for count in counts[1:3]]
    return [operator, f"{len(judged):,}", f"{counts[0]:,}", *alive, *(f"{c:,}" for c in counts[3:]), score]


def show(console: Console, result: Result, path: str, *, again: str, quiet: bool, verbose: bool) -> None:
    """Print a result. ``again`` is the command's beginning that tries harder, to which an id is added."""
    if verbose:
        for judged in result.judged:
            told = f"{judged.fate:<22}"
            console.print(marked(console, STATES[judged.fate], told, f"{judged.id}  {judged.killer or judged.reason}"))
        console.print()
    if not quiet:
        console.print(table(console, result.judged))
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
