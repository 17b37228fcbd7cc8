"""What ``mutate`` found on any number of servers: mutants by runs, and those that are alive with their DDL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pgcontract.report.html.interning import Texts
from pgcontract.report.html.promising import ABSENT, runs
from pgcontract.report.html.results import Mutant, Mutated

LETTERS: Final = {
    "killed by proof": "k",
    "killed by drift only": "d",
    "survived": "s",
    "equivalent": "e",
    "impaired": "i",
}


def mutating(mutated: Sequence[Mutated]) -> dict[str, Any] | None:
    """One system's runs as data for the page."""
    if not mutated:
        return None
    ordered = sorted(mutated, key=lambda one: one.origin.major)
    known: dict[tuple[str, str, str], Mutant] = {}
    for one in sorted(mutated, key=lambda m: m.origin.date):
        known |= {_key(mutant): mutant for mutant in one.mutants}
    promises, kinds, operators = Texts(), Texts(), Texts()
    return {
        "runs": [
            {**said, "sample": one.sample}
            for said, one in zip(runs([one.origin for one in ordered]), ordered, strict=True)
        ],
        "promise": [promises.number(mutant.promise) for mutant in known.values()],
        "kind": [kinds.number(mutant.kind) for mutant in known.values()],
        "operator": [operators.number(mutant.operator) for mutant in known.values()],
        "what": [mutant.what for mutant in known.values()],
        "promises": promises.all,
        "kinds": kinds.all,
        "operators": operators.all,
        "results": [_column(one, list(known)) for one in ordered],
    }


def _key(mutant: Mutant) -> tuple[str, str, str]:
    return (mutant.promise, mutant.operator, mutant.what)


def _column(one: Mutated, keys: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    found = {_key(mutant): mutant for mutant in one.mutants}
    here = [found.get(key) for key in keys]
    return {
        "fates": "".join(ABSENT if m is None else LETTERS[m.fate] for m in here),
        "killers": {
            n: m.killer for n, m in enumerate(here) if m is not None and m.killer is not None and m.killer != m.promise
        },
        "told": {
            n: {"ddl": m.ddl, "reason": m.reason, "listed": m.listed}
            for n, m in enumerate(here)
            if m is not None and m.fate != "killed by proof"
        },
    }
