"""What a query costs more on more rows: of its indexes, no more than their levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pgcontract.execution.measured import Checked, Measured
from pgcontract.signs import count

TOLERANCE: Final = 1.25
SLACK: Final = 2
"""A B-tree leaf is half to wholly full, which is known on average only; so is where a range begins in one."""


def with_growth(checked: Iterable[Checked]) -> list[Checked]:
    """The same, with a problem for each execution that grew by more than its rows and its indexes' levels explain.

    The pages of tables that hold the rows are taken away before: they are spread wider where more is between them. What
    is left is compared with the smallest number of rows at which the query found something. What never did is marked.
    """
    first: dict[tuple[str, str, str], Measured] = {}
    found = []
    checked = list(checked)
    answered = {one.query for one in checked if one.verdict != "empty"}
    for one in sorted(checked, key=lambda c: c.rows):
        judged = []
        for measured in one.measured:
            start = (
                first.setdefault((one.query, measured.size, measured.plan), measured) if measured.bound else measured
            )
            grown = (measured.pages - measured.heap) - (start.pages - start.heap)
            explained = measured.indexes - start.indexes
            if grown > TOLERANCE * max(explained, 0) + measured.levels + SLACK and not one.limited:
                said = (
                    f"{count(grown, 'page')} more of indexes than on fewer rows, where {max(explained, 0)} by its rows"
                    f" and {measured.levels} by its indexes' levels are explained"
                )
                judged.append(replace(measured, problems=(*measured.problems, said)))
            else:
                judged.append(measured)
        found.append(replace(one, measured=tuple(judged), unanswered=one.query not in answered))
    return found
