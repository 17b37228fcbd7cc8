"""What is said of drift, by ``diff`` and ``verify`` alike."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from pgcontract.contract import Difference, headlines
from pgcontract.report.layout import count, marked


def shown(differences: Sequence[Difference], *, every: bool = False) -> Sequence[Difference]:
    """The differences to tell; ``every``: also what a dropped or added table says already."""
    return differences if every else headlines(differences)


def show(console: Console, differences: Sequence[Difference], most: int | None = None) -> None:
    """Print a difference a line, and for whom it may break."""
    for one in differences[:most]:
        parties = f" (breaking for {' and '.join(one.breaks)})" if one.breaks else ""
        console.print(marked(console, "bad" if one.breaks else "doubtful", "", f"{one}{parties}"))
    if most is not None and len(differences) > most:
        console.print(f"  … and {len(differences) - most:,} more: pgcontract diff shows all", markup=False)


def summary(system: str, differences: Sequence[Difference]) -> str:
    """The last line of ``diff``."""
    if not differences:
        return f"{system}: every promise is as it was frozen"
    breaking = sum(bool(one.breaks) for one in differences)
    told = f"{system}: {count(len(differences), 'difference')} from the frozen contract"
    return f"{told}, {breaking:,} of them breaking" if breaking else told
