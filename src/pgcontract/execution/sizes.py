"""Hot queries on databases of several sizes, each a clone of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from pgcontract.ephemeral import Stage
from pgcontract.execution.checking import check
from pgcontract.execution.filling import filled
from pgcontract.execution.growth import with_growth
from pgcontract.execution.measured import Checked
from pgcontract.execution.readiness import readied
from pgcontract.execution.worth import Worth, worth_of
from pgcontract.model import Catalog
from pgcontract.queries import Query


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of every query at every size; ``worth`` is of the largest one."""

    checked: list[Checked]
    worth: list[Worth]
    catalog: Catalog = field(default_factory=Catalog)

    @property
    def kept(self) -> bool:
        """Whether no promise is broken."""
        return not any(one.verdict == "broken" for one in self.checked)


def judged(
    stage: Stage,
    queries: Sequence[Query],
    sizes: Sequence[int],
    *,
    worth: bool = False,
    told: Callable[[int], None] = lambda _rows: None,
) -> Judged:
    """Fill, check and drop a database for each size. ``told`` gets each before it is filled.

    Raises QueryError, NotReady, PopulateError, ServerError.
    """
    checked: list[Checked] = []
    valued: list[Worth] = []
    catalog = Catalog()
    for rows in sizes:
        told(rows)
        with stage.clone() as clone, psycopg.connect(clone.dsn, autocommit=True) as connection:
            catalog = stage.catalog(connection)
            connection.execute("RESET search_path")
            filled(connection, stage.system, catalog, rows)
            readied(connection)
            if worth and rows == max(sizes):
                valued = worth_of(connection, queries, rows)
            checked += check(connection, queries, rows)
    return Judged(with_growth(checked), valued, catalog)
