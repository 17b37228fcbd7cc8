"""What all commands' output is made of: one table, one set of marks, one way to count and to sum up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgcontract.signs import State as State  # noqa: PLC0414 - exported
from pgcontract.signs import count as count  # noqa: PLC0414 - exported
from pgcontract.signs import sign

Cell: TypeAlias = Text | str
Thing = TypeVar("Thing")

STYLES: Final[dict[State, str]] = {"good": "green", "bad": "red bold", "doubtful": "yellow", "open": "dim"}
INDENT: Final = "    "
GAP: Final = 2
FOLDED: Final = 20


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``right`` for numbers; ``fold`` for texts that go on in the next line where there is no room.

    ``spare``: left out where the table is wider than the terminal, the highest number first.
    """

    heading: str
    right: bool = False
    fold: bool = False
    spare: int = 0


def table(console: Console, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, headed: bool = True) -> Table:
    """A table that fits the terminal, without lines: it can be read, cut and pasted."""
    rows = list(rows)
    shown = _table(columns, rows, headed=headed)
    while (spare := max((c.spare for c in columns), default=0)) and _needed(columns, rows) > console.width:
        kept = [number for number, column in enumerate(columns) if column.spare != spare]
        columns = [columns[number] for number in kept]
        rows = [[row[number] for number in kept if number < len(row)] for row in rows]
        shown = _table(columns, rows, headed=headed)
    return shown


def _needed(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> int:
    """How many letters a line takes: what folds needs a part of its longest cell."""
    total = GAP * (len(columns) - 1)
    for number, column in enumerate(columns):
        longest = max([cell_len(column.heading), *(cell_len(str(row[number])) for row in rows if number < len(row))])
        total += min(longest, FOLDED) if column.fold else longest
    return total


def _table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, headed: bool) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold", show_header=headed)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        shown.add_column(column.heading, justify=justify, no_wrap=not column.fold, overflow="fold")
    for row in rows:
        # names hold brackets, which are no markup of ours
        shown.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return shown


def marked(console: Console, state: State, text: str, rest: str = "") -> Text:
    """A line that begins with the state's sign; ``rest`` is not coloured."""
    return Text.assemble((f"{sign(state, console.encoding)} {text}", STYLES[state]), rest)


def sum_up(console: Console, text: str, *, good: bool) -> None:
    """The last line of every command: where, how many of how many, what else, on what, in how many seconds."""
    console.print(Text(f"{sign('good' if good else 'bad', console.encoding)} {text}", style="green" if good else "red"))


def indented(text: str) -> str:
    """The text, a step to the right."""
    return "\n".join(f"{INDENT}{line}" for line in text.splitlines())


def listed(names: Sequence[str], most: int) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def by_cause(things: Iterable[Thing], cause: Callable[[Thing], str]) -> list[tuple[str, list[Thing]]]:
    """Things with one cause together, in the order in which causes come."""
    found: dict[str, list[Thing]] = {}
    for thing in things:
        found.setdefault(cause(thing), []).append(thing)
    return list(found.items())
