"""What a system is asked under load: ``load.toml``, over its own hot queries."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pgcontract.errors import PgContractError
from pgcontract.queries import Query, queries_of
from pgcontract.signs import count
from pgcontract.sql import SqlError, parse, scan
from pgcontract.system import System

FILE: Final = "load.toml"
LOT: Final = ("uuid", "n")
"""Names that every transaction knows: a UUID of its own, and its number in the run."""
MOST_DRAWN: Final = 4
_KEYS: Final = {"counts", "rows", "values", "transactions"}
_TRANSACTION_KEYS: Final = {"weight", "draw", "atomic", "steps"}
_STEP_KEYS: Final = {"query", "sql", "with", "each"}


class LoadError(PgContractError):
    """``load.toml`` does not say what is to be done, or the database does not do it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement. Its parameters are the values of ``names``: drawn, or columns of the first row of a step before.

    ``each``: once for each row of the last step that returned columns, instead of for its first one.
    """

    title: str
    sql: str
    names: tuple[str, ...] = ()
    each: bool = False


@dataclass(frozen=True, slots=True)
class Transaction:
    """``weight`` of it come with one of what ``--rate`` counts. Not ``atomic``: each statement is committed by itself.

    ``draws`` are names of values, of each of which one row is drawn. It ends where a step needs a value that no
    row gave.
    """

    name: str
    weight: float
    steps: tuple[Step, ...]
    draws: tuple[str, ...] = ()
    atomic: bool = True


@dataclass(frozen=True, slots=True)
class Workload:
    """``rows``: how many of each table stand there before, for each user. ``values``: queries whose rows are drawn."""

    path: Path
    counts: str
    rows: Mapping[str, float]
    values: Mapping[str, str]
    transactions: tuple[Transaction, ...]

    @property
    def weights(self) -> dict[str, float]:
        """By transaction."""
        return {one.name: one.weight for one in self.transactions}


def workload_of(system: System) -> Workload:
    """What the system's folder says. Raises LoadError (no such file, or not as it must be) and QueryError."""
    path = system.root / FILE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LoadError(
            "The system does not say what it is asked under load.",
            where=str(path),
            remedy=f"Write {FILE}: transactions of its hot queries, as docs/load.md shows.",
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LoadError(f"{FILE} cannot be read.", where=str(path), seen=str(error), remedy="Correct it.") from error
    return _Reading(path, {query.name: query for query in queries_of(system.queries)}).workload(found)


@dataclass(frozen=True, slots=True)
class _Reading:
    path: Path
    queries: Mapping[str, Query]

    def workload(self, found: Mapping[str, Any]) -> Workload:
        self._known(found, _KEYS, "")
        rows, values = self._table(found, "rows"), self._table(found, "values")
        for name, share in rows.items():
            if not _number(share) or share < 0:
                raise self._wrong(f"rows.{name}", share, "Write how many rows come with one user: 0.5, say.")
        for name, query in values.items():
            self._sql(f"values.{name}", query)
        transactions = self._table(found, "transactions")
        if not transactions:
            raise self._wrong("transactions", "none", "Write [transactions.NAME] with its weight and steps.")
        counts = found.get("counts", "transactions")
        if not isinstance(counts, str):
            raise self._wrong("counts", counts, "Name what --rate counts: messages, say.")
        read = tuple(self._transaction(name, one, values) for name, one in transactions.items())
        return Workload(self.path, counts, rows, values, read)

    def _transaction(self, name: str, found: Any, values: Mapping[str, str]) -> Transaction:
        where = f"transactions.{name}"
        if not isinstance(found, dict):
            raise self._wrong(where, found, "Write a table with its weight and steps.")
        self._known(found, _TRANSACTION_KEYS, where)
        weight, draws, steps = found.get("weight", 1), found.get("draw", []), found.get("steps", [])
        if not _number(weight) or weight <= 0:
            raise self._wrong(f"{where}.weight", weight, "Write how many come with one of what --rate counts.")
        if not isinstance(draws, list) or len(draws) > MOST_DRAWN or not all(draw in values for draw in draws):
            known = ", ".join(values) or "none"
            raise self._wrong(f"{where}.draw", draws, f"Write up to {MOST_DRAWN} names of [values]: {known}.")
        if not isinstance(steps, list) or not steps:
            raise self._wrong(f"{where}.steps", steps, "Write one step or more.")
        atomic = found.get("atomic", True)
        if not isinstance(atomic, bool):
            raise self._wrong(f"{where}.atomic", atomic, "Write true or false.")
        read = tuple(self._step(f"{where}.steps[{n}]", step) for n, step in enumerate(steps))
        return Transaction(name, float(weight), read, tuple(draws), atomic)

    def _step(self, where: str, found: Any) -> Step:
        if not isinstance(found, dict) or ("query" in found) == ("sql" in found):
            raise self._wrong(where, found, "Write query = (a hot query's name), or sql = (a statement).")
        self._known(found, _STEP_KEYS, where)
        names, each = found.get("with", []), found.get("each", False)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._wrong(f"{where}.with", names, "Write the names of its parameters' values, $1's first.")
        if not isinstance(each, bool):
            raise self._wrong(f"{where}.each", each, "Write true or false.")
        if "query" in found:
            query = self.queries.get(found["query"]) if isinstance(found["query"], str) else None
            if query is None:
                raise self._wrong(f"{where}.query", found["query"], "Name a file of queries/, without its .sql.")
            step = Step(query.name, query.text, tuple(names), each)
        else:
            step = Step(where, self._sql(f"{where}.sql", found["sql"]), tuple(names), each)
        wanted = max((int(token.text[1:]) for token in scan(step.sql) if token.kind == "PARAM"), default=0)
        if wanted != len(names):
            raise self._wrong(
                f"{where}.with", names, f"{step.title} has {count(wanted, 'parameter')}: name a value for each."
            )
        return step

    def _sql(self, where: str, text: Any) -> str:
        if not isinstance(text, str):
            raise self._wrong(where, text, "Write a statement.")
        try:
            found = parse(text)
        except SqlError as error:
            raise self._wrong(where, error.message, "Correct the SQL.") from error
        if len(found.stmts) != 1:
            raise self._wrong(where, count(len(found.stmts), "statement"), "Write one.")
        return text

    def _table(self, found: Mapping[str, Any], key: str) -> dict[str, Any]:
        table = found.get(key, {})
        if not isinstance(table, dict):
            raise self._wrong(key, table, f"Write a table: [{key}].")
        return table

    def _known(self, found: Mapping[str, Any], keys: set[str], where: str) -> None:
        if unknown := sorted(set(found) - keys):
            raise self._wrong(where or "the file", ", ".join(unknown), f"Known are {', '.join(sorted(keys))}.")

    def _wrong(self, where: str, seen: object, remedy: str) -> LoadError:
        return LoadError(f"{FILE} is not as it must be.", where=f"{self.path}: {where}", seen=str(seen), remedy=remedy)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
