"""What a function is called with: its arguments' types as PostgreSQL reads them, and values for each. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgcontract.model import Catalog, Function
from pgcontract.rows.statements import Value
from pgcontract.sql import SqlError, parse, scan
from pgcontract.values.types import Space, UnknownType, space

MOST_CALLS = 60
MOST_EACH = 24
_HEAD = "CREATE FUNCTION f("
_OUT = ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument that a call gives; ``type`` as ``format_type`` prints it."""

    type: str
    variadic: bool = False


def arguments(function: Function) -> tuple[Argument, ...] | None:
    """The arguments that a call gives, in their order; None where there is no saying."""
    try:
        # PostgreSQL's own grammar tells a name from a type's first word
        tree = parse(f"{_HEAD}{function.arguments}) RETURNS integer LANGUAGE sql AS ''")
    except SqlError:
        return None
    found = []
    parameters = [p.function_parameter for p in tree.stmts[0].stmt.create_function_stmt.parameters]
    for parameter, (_, end) in zip(parameters, _parts(function.arguments), strict=True):
        mode = parameter.DESCRIPTOR.fields_by_name["mode"].enum_type.values_by_number[parameter.mode].name
        if mode in _OUT:
            continue
        start = len((_HEAD + function.arguments).encode()[: parameter.arg_type.location].decode()) - len(_HEAD)
        found.append(Argument(function.arguments[start:end].strip(), mode == "FUNC_PARAM_VARIADIC"))
    return tuple(found)


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Where each part of a list between its outermost commas begins and ends."""
    depth = start = 0
    for token in scan(text):
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if token.text == "," and depth == 0:
            yield start, token.start
            start = token.end
    if text.strip():
        yield start, len(text)


def constants(*bodies: str) -> tuple[str, ...]:
    """The constants that functions' sources name, and whole numbers beside them: where a branch may turn."""
    found: dict[str, None] = {}
    for body in bodies:
        try:
            tokens = scan(body)
        except SqlError:
            continue
        for token in tokens:
            if token.kind == "ICONST":
                found |= dict.fromkeys(str(int(token.text, 0) + n) for n in (0, -1, 1))
            elif token.kind == "FCONST":
                found[token.text] = None
            elif token.kind == "SCONST" and token.text.startswith("'"):
                found[token.text[1:-1].replace("''", "'")] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Calls:
    """Values for all arguments at once: some that are always tried, simplest first, and drawn ones."""

    always: tuple[tuple[Value, ...], ...]
    drawn: SearchStrategy[tuple[Value, ...]]


def calls(given: Sequence[Argument], catalog: Catalog, named: Sequence[str], *, nulls: bool) -> Calls | None:
    """Values to call with; ``named`` are tried for every argument, too. None where a type is not known."""
    try:
        spaces = [space(one.type, catalog) for one in given]
    except UnknownType:
        return None
    each = [_values(one, named, nulls=nulls) for one in spaces]
    simplest = tuple(one.simplest for one in spaces)
    rows: dict[tuple[Value, ...], None] = {simplest: None}
    for number, values in enumerate(each):
        rows |= dict.fromkeys((*simplest[:number], v, *simplest[number + 1 :]) for v in values)
    rows |= dict.fromkeys(islice(product(*(values[:4] for values in each)), MOST_CALLS))
    drawn = [st.sampled_from(values) | one.strategy for one, values in zip(spaces, each, strict=True)]
    return Calls(tuple(rows), st.tuples(*drawn))


def _values(one: Space, named: Sequence[str], *, nulls: bool) -> list[Value]:
    values: list[Value] = [one.simplest, *one.boundaries]
    # constants that are no value of the type would only be refused twice
    values[1:1] = [v for v in named if one.read is None or _readable(one, v)][:MOST_EACH]
    return [*dict.fromkeys(values), *([None] if nulls else [])]


def _readable(one: Space, value: str) -> bool:
    assert one.read is not None
    try:
        return one.read(value) is not None
    except (ValueError, ArithmeticError, LookupError):
        return False
