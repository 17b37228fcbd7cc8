"""JSON documents that have what conditions ask for by its path: ``d ->> 'a'``, ``d #> '{a,b}'``, ``d ? 'a'``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from pgcontract.values import arrays
from pgcontract.values.terms import Call, Cast, Col, Const, Items, Op, Quantified, Term, walk

_MOST: Final = 24
_FARTHEST: Final = 20
"""An element of an array beyond this is not made."""
_STEP: Final = frozenset({"->", "->>"})
_STEPS: Final = frozenset({"#>", "#>>"})
_KEYS: Final = frozenset({"?", "?&", "?|"})
_EXTRACTING: Final = frozenset(f"json{b}_extract_path{text}" for b in ("", "b") for text in ("", "_text"))
_EXISTS: Final = frozenset({"jsonb_exists", "jsonb_exists_all", "jsonb_exists_any"})
_KINDS: Final[dict[str, Any]] = {"array": [], "object": {}, "number": 1, "boolean": True, "string": "a"}
_USUAL: Final[tuple[Any, ...]] = ("a", 1, True, [], {}, "2000-01-01", "00000000-0000-0000-0000-000000000001")

Path = tuple[str | int, ...]


def documents(column: str, terms: Iterable[Term]) -> tuple[str, ...]:
    """Return documents in which the paths that the terms ask the column for are there: all together, then each."""
    trees = list(terms)
    paths = list(dict.fromkeys(path for tree in trees for path in _paths(column, tree)))
    # what leads to another path is there with it
    ends = [p for p in paths if not any(q[: len(p)] == p and q != p for q in paths)]
    if not ends:
        return ()
    values = [*_constants(trees, {step for path in paths for step in path}), *_USUAL]
    found = [_document(ends, value) for value in values]
    found += [_document([end], value) for end in ends for value in values[:4] if len(ends) > 1]
    texts = (json.dumps(one, ensure_ascii=False) for one in found if one is not None)
    return tuple(islice(dict.fromkeys(texts), _MOST))


def _paths(column: str, tree: Term) -> Iterator[Path]:
    for part in walk(tree):
        found = _path(column, part)
        if found:
            yield found
        elif isinstance(part, Op) and part.name in _KEYS and (base := _path(column, part.left)) is not None:
            yield from ((*base, key) for key in _texts(part.right))
        elif isinstance(part, Call) and part.name in _EXISTS and (base := _path(column, part.args[0])) is not None:
            yield from ((*base, key) for arg in part.args[1:] for key in _texts(arg))


def _path(column: str, tree: Term | None) -> Path | None:
    """Where in the column's document a term looks; None where it is no such term."""
    match tree:
        case Col(name=name):
            return () if name == column else None
        case Cast(arg=arg, type="json" | "jsonb"):
            return _path(column, arg)
        case Op(name=name, left=left, right=right) if name in _STEP | _STEPS and left is not None:
            base, rest = _path(column, left), _texts(right)
            number = isinstance(right, Const) and right.kind == "number"
            if base is None or not rest:
                return None
            return (*base, *(int(step) if number and step.isdigit() else step for step in rest))
        case Call(name=name, args=(first, *rest)) if name in _EXTRACTING:
            base = _path(column, first)
            return None if base is None else (*base, *(step for arg in rest for step in _texts(arg)))
        case _:
            return None


def _texts(tree: Term) -> list[str]:
    """Constant texts: one, or those of an array."""
    match tree:
        case Cast(arg=Const(value=str(value)), type="text[]"):
            return _elements(value)
        case Cast(arg=arg):
            return _texts(arg)
        case Const(value=str(value)):
            return [value]
        case Items(items=items):
            return [text for item in items for text in _texts(item)]
        case _:
            return []


def _constants(trees: Iterable[Term], steps: set[str | int]) -> Iterator[Any]:
    """What values are compared with, and a value of each kind that is asked for."""
    for tree in trees:
        for part in walk(tree):
            match part:
                case Const(value=str(value), kind="number") if value.isdigit():
                    yield int(value)
                case Const(value=str(value), kind="string") if value not in steps and not value.startswith("{"):
                    yield _KINDS.get(value, value)
                case Quantified(right=Cast(arg=Const(value=str(value)), type=kind)) if kind.endswith("[]"):
                    yield from _elements(value)


def _elements(written: str) -> list[str]:
    try:
        return [element for element in arrays.split(written) if isinstance(element, str)]
    except ValueError:
        return []


def _document(paths: Iterable[Path], value: Any) -> Any:
    """A document with this value at each of the paths; None where two of them, or a number, do not go together."""
    found: Any = None
    for path in paths:
        made = value
        for step in reversed(path):
            if isinstance(step, int) and step > _FARTHEST:
                return None
            made = [*[None] * step, made] if isinstance(step, int) else {step: made}
        found = made if found is None else _merged(found, made)
    return found


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        both = {key: _merged(one[key], other[key]) for key in one.keys() & other.keys()}
        return {**one, **other, **both}
    return other
