"""Sequences changed by one small thing."""

from __future__ import annotations

from collections.abc import Iterator

from pgcontract.model import Sequence
from pgcontract.promises.mutants.base import Mutant
from pgcontract.rows.statements import Statement, identifier

BITS = {"smallint": 15, "integer": 31, "bigint": 63}


def sequence_mutants(one: Sequence) -> Iterator[Mutant]:
    """A sequence gone, or with another start, step, bound, type, cache, owner, or end."""
    name = identifier(one.name).as_string()

    def altered(operator: str, what: str, change: str, same: str | None = None) -> Mutant:
        return Mutant(operator, what, (Statement(f"ALTER SEQUENCE {name} {change}"),), equivalent=same)

    yield Mutant("drop_sequence", "", (Statement(f"DROP SEQUENCE {name}"),))
    for start in (one.start + 1, one.start - 1):
        if one.min_value <= start <= one.max_value:
            yield altered("change_start", str(start), f"START {start}")
    for increment in (one.increment + 1, one.increment - 1, -one.increment):
        if increment:
            bounds = f"MINVALUE {one.min_value} MAXVALUE {one.max_value}"
            yield altered("change_increment", str(increment), f"INCREMENT {increment} {bounds}")
    for operator, bound in _bounds(one):
        yield altered(operator, bound, bound)
    most = 2 ** BITS[one.type]
    # a bound that is the type's own goes with it
    bound = one.max_value == most - 1 or one.min_value == -most
    same = None if bound else "its bounds are its own, and whatever it gives is a bigint"
    for other in BITS:
        if other != one.type:
            yield altered("change_type", other, f"AS {other}", same)
    yield altered("toggle_cycle", "off" if one.cycle else "on", "NO CYCLE" if one.cycle else "CYCLE")
    yield altered("change_cache", str(one.cache + 9), f"CACHE {one.cache + 9}")
    if one.owned_by is not None:
        yield altered("drop_owner", "", "OWNED BY NONE")


def _bounds(one: Sequence) -> Iterator[tuple[str, str]]:
    """Bounds one further out, and one further in, that its type and its start allow."""
    most = 2 ** BITS[one.type]
    if one.min_value > -most:
        yield "relax_bound", f"MINVALUE {one.min_value - 1}"
    if one.start > one.min_value:
        yield "tighten_bound", f"MINVALUE {one.min_value + 1}"
    if one.max_value < most - 1:
        yield "relax_bound", f"MAXVALUE {one.max_value + 1}"
    if one.start < one.max_value:
        yield "tighten_bound", f"MAXVALUE {one.max_value - 1}"
