"""Arrays of anything, and composites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from pgcontract.values.ranges import quoted
from pgcontract.values.space import Refused, Space

BAD_LITERAL: Final = "22P02"
_SPACES: Final = " \t\n\r\v\f"


def literal(items: Sequence[str | None], delimiter: str = ",") -> str:
    """Write an array of one dimension."""
    return "{" + delimiter.join("NULL" if i is None else _item(i, delimiter) for i in items) + "}"


def _item(item: str, delimiter: str) -> str:
    return f'"{item}"' if delimiter != "," and delimiter in item else quoted(item)


def array_of(name: str, element: Space, delimiter: str = ",") -> Space:
    """Arrays of one dimension, mostly; the type does not limit dimensions or lengths."""

    def show(*items: str | None) -> str:
        return literal(items, delimiter)

    one = show(element.simplest)
    elements = dict.fromkeys(element.boundaries)
    few = [e for e in elements if len(e) < 1000]
    inner = "{" + delimiter.join([one, one]) + "}"
    wrong = next((r for r in element.refused if isinstance(r.literal, str)), None)
    return Space(
        type=name,
        simplest="{}",
        boundaries=(
            "{}",
            one,
            *((show(None), show(element.simplest, None)) if element.nullable else ()),
            show(*few),
            show(*[element.simplest] * 100),
            inner,
            f"[0:0]={one}",
        ),
        strategy=st.lists(element.strategy, max_size=4).map(lambda items: literal(items, delimiter)),
        fresh=lambda n: "{}" if n == 0 else None if (found := element.fresh(n - 1)) is None else show(found),
        refused=(
            Refused("", BAD_LITERAL, "an empty text is no array"),
            Refused("{", BAD_LITERAL, "not closed"),
            Refused("{" + delimiter.join([one, inner]) + "}", BAD_LITERAL, "dimensions that do not match"),
            *(
                (Refused(show(wrong.literal), wrong.sqlstate, f"an element: {wrong.why}"),)
                if wrong is not None and isinstance(wrong.literal, str)
                else ()
            ),
        ),
        read=_reader(element, delimiter),
        elements=element,
    )


def _reader(element: Space, delimiter: str) -> Any:
    inner = element.read

    def read(written: str) -> tuple[Any, ...]:
        items = split(written, delimiter)
        if any(isinstance(i, tuple) for i in items):
            raise ValueError(written)
        return tuple(i if i is None or inner is None else inner(i) for i in items)

    return read


def split(written: str, delimiter: str = ",") -> tuple[Any, ...]:
    """Take an array's literal of one dimension apart: texts and None. Raises ValueError for more dimensions."""
    body = written.strip(_SPACES)
    if not body.startswith("{") or not body.endswith("}"):
        raise ValueError(written)
    items: list[str | None] = []
    at, end = 1, len(body) - 1
    while at < end:
        item: list[str] = []
        bare = True
        while at < end and body[at] != delimiter:
            match body[at]:
                case "{" | "}":
                    raise ValueError(written)
                case '"':
                    bare = False
                    at += 1
                    while body[at] != '"':
                        at += body[at] == "\\"
                        item.append(body[at])
                        at += 1
                case "\\":
                    bare = False
                    at += 1
                    item.append(body[at])
                case character:
                    item.append(character)
            at += 1
        at += 1
        text = "".join(item).strip(_SPACES) if bare else "".join(item)
        items.append(None if bare and text.lower() == "null" else text)
    return tuple(items)


def row(attributes: Sequence[str | None]) -> str:
    """Write a composite: an attribute that is NULL is left empty."""
    return "(" + ",".join("" if a is None else '"' + _doubled(a) + '"' for a in attributes) + ")"


def _doubled(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '""')


def composite_of(name: str, attributes: Sequence[Space]) -> Space:
    """A row of other types."""
    simplest = row([a.simplest for a in attributes])
    one_each = [
        row([b if m == n else a.simplest for m, a in enumerate(attributes)])
        for n, attribute in enumerate(attributes)
        for b in attribute.boundaries[:8]
        if len(b) < 1000
    ]
    nulls = [row([None] * len(attributes))] if all(a.nullable for a in attributes) else []
    drawn = st.tuples(*(a.strategy for a in attributes)).map(row)

    def fresh(n: int) -> str | None:
        # the first attribute that has enough values tells them apart
        for place, attribute in enumerate(attributes):
            found = attribute.fresh(n)
            if found is not None:
                return row([found if m == place else a.simplest for m, a in enumerate(attributes)])
        return None

    wrong = [
        Refused(row([str(r.literal) if m == n else a.simplest for m, a in enumerate(attributes)]), r.sqlstate, r.why)
        for n, attribute in enumerate(attributes)
        for r in attribute.refused[:1]
        if isinstance(r.literal, str)
    ]
    return Space(
        type=name,
        simplest=simplest,
        boundaries=tuple(dict.fromkeys((simplest, *nulls, *one_each))),
        strategy=drawn,
        fresh=fresh,
        refused=(
            Refused("(", BAD_LITERAL, "not closed"),
            Refused("", BAD_LITERAL, "an empty text is no row"),
            Refused("(" + "," * len(attributes) + ")", BAD_LITERAL, "an attribute too many"),
            *wrong,
        ),
    )
