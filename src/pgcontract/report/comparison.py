"""What ``bench compare`` prints: what differs, or everything, and what to doubt it for."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pgcontract.compare import Compared, Result
from pgcontract.compare.statistics import CONFIDENCE

_STYLES = {"faster": "green", "slower": "red", "same": "", None: "yellow"}


def show(console: Console, result: Result, *, quiet: bool) -> None:
    """Print a comparison; with ``quiet``, only what is slower."""
    shown = [one for one in result.compared if not quiet or one.verdict == "slower"]
    if shown:
        console.print(table(result, shown))
    if not quiet:
        for name, only in ((result.a, result.only_a), (result.b, result.only_b)):
            if only:
                console.print(f"only in {name}: {', '.join(only)}", markup=False)
    for warning in result.warnings:
        console.print(f"note: {warning}", markup=False)
    counts = ", ".join(f"{len(result.having(v))} {v}" for v in ("slower", "faster", "same"))
    unjudged = len(result.having(None))
    console.print(
        f"{result.b} beside {result.a}: {counts}{f', {unjudged} not judged' if unjudged else ''}.", markup=False
    )


def table(result: Result, compared: list[Compared]) -> Table:
    """One line a query: B's time over A's with its interval, and the verdict at its threshold."""
    heading = f"B/A ({CONFIDENCE:.0%} interval)"
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("query" if result.paired else "benchmark")
    for name in ("A ms", "B ms", heading, "from"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    for one in compared:
        estimate = one.estimate
        ratio = "" if estimate is None else f"{estimate.ratio:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
        verdict = one.verdict or "not judged"
        shown.add_row(
            escape(one.name),
            _milliseconds(one.a),
            _milliseconds(one.b),
            ratio,
            f"{one.floor:.2f}",
            f"[{_STYLES[one.verdict]}]{verdict}[/]" if _STYLES[one.verdict] else verdict,
        )
        if one.note:
            shown.add_row(f"  {escape(one.note)}")
    return shown


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
