"""What ``bench compare`` prints: what differs, or everything, and what to doubt it for."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgcontract.compare import Compared, Result
from pgcontract.compare.statistics import CONFIDENCE
from pgcontract.report.layout import STYLES, Cell, Column, sum_up
from pgcontract.report.layout import table as fitted

_STYLES = {"faster": STYLES["good"], "slower": STYLES["bad"], "same": "", None: STYLES["doubtful"]}


def show(console: Console, result: Result, *, quiet: bool) -> None:
    """Print a comparison; with ``quiet``, only what is slower."""
    shown = [one for one in result.compared if not quiet or one.verdict == "slower"]
    if shown:
        console.print(table(console, result, shown))
    if not quiet:
        for name, only in ((result.a, result.only_a), (result.b, result.only_b)):
            if only:
                console.print(f"only in {name}: {', '.join(only)}", markup=False)
    for warning in result.warnings:
        console.print(f"note: {warning}", markup=False)
    counts = ", ".join(f"{len(result.having(v))} {v}" for v in ("slower", "faster", "same"))
    unjudged = len(result.having(None))
    told = f"{result.b} beside {result.a}: {counts}{f', {unjudged} not judged' if unjudged else ''}"
    sum_up(console, told, good=not result.having("slower"))


def table(console: Console, result: Result, compared: list[Compared]) -> Table:
    """One line a query: B's time over A's with its interval, and the verdict at its threshold."""
    heading = f"B/A ({CONFIDENCE:.0%} interval)"
    columns = [Column("query" if result.paired else "benchmark", fold=True)]
    columns += [Column(name, right=True, spare=1) for name in ("A ms", "B ms")]
    columns += [Column(heading, right=True), Column("from", right=True, spare=2), Column("verdict")]
    rows: list[list[Cell]] = []
    for one in compared:
        estimate = one.estimate
        ratio = "" if estimate is None else f"{estimate.ratio:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
        times = (_milliseconds(one.a), _milliseconds(one.b))
        verdict = Text(one.verdict or "not judged", style=_STYLES[one.verdict])
        rows.append([one.name, *times, ratio, f"{one.floor:.2f}", verdict])
        if one.note:
            rows.append([f"  {one.note}", "", "", "", "", ""])
    return fitted(console, columns, rows)


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
