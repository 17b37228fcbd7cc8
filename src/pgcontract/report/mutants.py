"""What ``mutate`` prints: a table by operator, then everything that is alive."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgcontract.mutation import Judged, Result

FATES = ("killed by proof", "killed by drift only", "survived", "equivalent", "impaired")
SLOWEST = 10


def table(judged: Sequence[Judged]) -> Table:
    """Mutants by operator and what became of them."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("operator", no_wrap=True)
    for heading in ("mutants", "proof", "drift only", "survived", "equivalent", "impaired", "score"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for operator in sorted({j.operator for j in judged}):
        shown.add_row(*_cells(operator, [j for j in judged if j.operator == operator]))
    shown.add_row(*_cells("all", judged), style="bold")
    return shown


def _cells(operator: str, judged: Sequence[Judged]) -> list[Text | str]:
    counts = [sum(j.fate == fate for j in judged) for fate in FATES]
    counting = sum(j.counts for j in judged)
    score = f"{100 * counts[0] / counting:.1f} %" if counting else "-"
    alive = [Text(f"{count:,}", style="yellow" if count else "") for count in counts[1:3]]
    return [operator, f"{len(judged):,}", f"{counts[0]:,}", *alive, *(f"{c:,}" for c in counts[3:]), score]


def show(console: Console, result: Result, path: str, *, again: str, quiet: bool, verbose: bool) -> None:
    """Print a result. ``again`` is the command's beginning that tries harder, to which an id is added."""
    if verbose:
        for judged in result.judged:
            console.print(Text(f"{judged.fate:<22}{judged.id}  {judged.killer or judged.reason}"))
        console.print()
    if not quiet:
        console.print(table(result.judged))
        console.print()
    for judged in result.alive:
        told = Text(f"{judged.told(again)}\n")
        told.stylize("yellow", 0, len(judged.fate))
        console.print(told)
    for id_ in result.stale:
        console.print(Text.assemble(("no survivor ", "yellow"), f"{id_}: survivors.toml lists it without need"))
    for index in result.unjustified:
        why = "no hot query names it, no foreign key is looked up by it, and it keeps nothing unique"
        console.print(Text.assemble(("unjustified ", "yellow"), f"{index}: {why}"))
    console.print(Text(summary(result, path), style="green" if not result.alive else "red"))


def summary(result: Result, path: str) -> str:
    """The last line."""
    counting = sum(j.counts for j in result.judged)
    listed = sum(j.listed is not None for j in result.of("survived", "killed by drift only"))
    parts = [
        f"{len(result.of('killed by proof')):,} of {counting:,} mutants killed by proof ({100 * result.score:.1f} %)"
    ]
    parts += [f"{listed} listed as survivors"] if listed else []
    parts += [f"{len(found):,} {fate}" for fate in ("equivalent", "impaired") if (found := result.of(fate))]
    return f"{path}: {', '.join(parts)}, on PostgreSQL {result.postgresql} in {result.seconds:.1f} s"
