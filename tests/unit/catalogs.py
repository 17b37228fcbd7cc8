"""Strategies for whole catalogs, with nasty texts everywhere: built from the model's own types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from pgcontract.model import (
    Catalog,
    Check,
    Collation,
    Column,
    Composite,
    DefaultPrivilege,
    Domain,
    Enum,
    Exclusion,
    Extension,
    ForeignKey,
    Function,
    Grant,
    Index,
    Key,
    Name,
    Policy,
    RangeType,
    Rule,
    Sequence,
    Table,
    Trigger,
    View,
)

T = TypeVar("T")

by_name: Callable[[Any], Any] = attrgetter("name")

# what TOML, SQL or a terminal could stumble over
NASTY = [
    *(
        "a",
        "b",
        "public",
        "order",
        "Mixed Case",
        " space ",
        "a.b",
        'a"b',
        "it's",
        "'''",
        '"""',
        "\\",
        "\\n",
        "#",
        "=",
        "[x]",
    ),
    *(
        "\n",
        "\r\n",
        "\r",
        "\t",
        "\x01",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
        "é",
        "e\u0301",
        "🦄",
        "🧑\u200d🚀",
    ),
    *(
        "x DESC",
        "x NULLS LAST",
        "x WITH =",
        "f(x",
        "f()",
        "(a)",
        "'; DROP TABLE x; --",
        "true",
        "1",
        "end",
        "type",
        "-",
    ),
    *("line\nline", "'\n'", "trailing \n", "ends'", "ends\\", "PUBLIC", "*", "everywhere", "body = '''\n"),
]
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.sampled_from(NASTY) | st.text(characters, max_size=8)
identifiers = st.sampled_from(NASTY) | st.text(characters, min_size=1, max_size=8)
names = st.builds(Name, st.sampled_from(["public", "audit", "a.b"]) | identifiers, identifiers)


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return st.none() | of_type(next(a for a in arguments if a is not NoneType))
    if origin is Literal:
        return st.sampled_from(arguments)
    if hint == tuple[Name, str]:
        return st.tuples(names, identifiers)
    if origin is tuple:
        return st.lists(of_type(arguments[0]), max_size=3).map(tuple)
    if hint is Name:
        return names
    if hint is str:
        return texts
    return st.from_type(hint) if hint in {bool, int} else things(hint)


def things(cls: Callable[..., T], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Instances of a dataclass of the model; fields that are not given are drawn by their types."""
    assert isinstance(cls, type)
    hints = get_type_hints(cls)
    drawn = {f.name: of_type(hints[f.name]) for f in fields(cls) if f.init and f.name not in given}
    if "name" in drawn and hints["name"] is str:
        drawn["name"] = identifiers
    if "column" in drawn:
        drawn["column"] = st.none() | identifiers
    return st.builds(cls, **drawn, **given)


def several(
    strategy: st.SearchStrategy[T], *, by: Callable[[T], Any] = by_name, max_size: int = 2
) -> st.SearchStrategy[tuple[T, ...]]:
    """Things that differ in their names, sorted by them."""
    return st.lists(strategy, max_size=max_size, unique_by=by).map(lambda found: tuple(sorted(found, key=by)))


columns = st.lists(things(Column), max_size=3, unique_by=lambda column: column.name).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A table whose constraints share one space of names, as in PostgreSQL."""
    chosen = draw(st.lists(st.sampled_from([Key, Check, ForeignKey, Exclusion]).flatmap(things), max_size=4))
    constraints = list({one.name: one for one in chosen}.values())

    def of(cls: type[T]) -> st.SearchStrategy[tuple[T, ...]]:
        return st.just(tuple(sorted((one for one in constraints if isinstance(one, cls)), key=by_name)))

    return draw(
        things(
            Table,
            columns=columns,
            keys=of(Key),
            checks=of(Check),
            foreign_keys=of(ForeignKey),
            exclusions=of(Exclusion),
            indexes=several(things(Index)),
            triggers=several(things(Trigger)),
            policies=several(things(Policy)),
            rules=several(things(Rule)),
        )
    )


def views() -> st.SearchStrategy[View]:
    """A view or materialised view."""
    return things(
        View,
        columns=columns,
        indexes=several(things(Index)),
        triggers=several(things(Trigger)),
        rules=several(things(Rule)),
    )


def grant_key(grant: Grant) -> Any:
    """What tells two grants apart."""
    return grant.kind, grant.object, grant.grantee, grant.revoked


def default_key(default: DefaultPrivilege) -> Any:
    """What tells two default privileges apart."""
    return default.kind, default.namespace or "", default.grantee, default.revoked


def catalogs() -> st.SearchStrategy[Catalog]:
    """Whole catalogs, in the order that the catalog room gives them."""
    return st.builds(
        Catalog,
        namespaces=several(identifiers, by=lambda name: name),
        extensions=several(things(Extension, namespace=identifiers)),
        enums=several(things(Enum)),
        domains=several(things(Domain, checks=several(things(Check)))),
        composites=several(things(Composite, attributes=columns)),
        ranges=several(things(RangeType)),
        collations=several(things(Collation)),
        sequences=several(things(Sequence)),
        functions=several(things(Function), by=lambda function: (function.name, function.arguments)),
        tables=several(tables()),
        views=several(views()),
        grants=several(things(Grant, object=identifiers, grantee=identifiers), by=grant_key),
        default_privileges=several(
            things(DefaultPrivilege, grantee=identifiers, namespace=st.none() | identifiers), by=default_key
        ),
    )
