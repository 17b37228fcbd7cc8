"""The source of a module of row classes: the same bytes for the same catalog, and laid out as a formatter would.

Nothing in it hangs on how long a formatter's lines may be: what might be too long for a short line is split by a comma
at its end, stands in a text of several lines, or is marked to be left alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pgcontract.errors import UsageError
from pgcontract.model import Catalog, Check, Column, Composite, Enum, Name, Table, View
from pgcontract.models import names
from pgcontract.models.choices import choices
from pgcontract.models.helpers import HELPERS, IMPORTS
from pgcontract.models.registering import Registered, registered
from pgcontract.models.types import BUILTINS, LOCAL, Annotation, Named, Types
from pgcontract.names import id_part

_SHORT: Final = 79
"""The shortest line that a formatter is usually told; what is longer might be broken."""
_FILL: Final = 88
_ALIASES: Final = {
    "Inet": ("IPv4Address", "IPv6Address", "IPv4Interface", "IPv6Interface"),
    "Cidr": ("IPv4Network", "IPv6Network"),
}
_RESERVED: Final = frozenset(
    {
        *(
            "Any",
            "ClassVar",
            "Literal",
            "LiteralString",
            "StrEnum",
            "TypeAlias",
            "dataclass",
            "field",
            "annotations",
            "register",
        ),
        *("date", "datetime", "time", "timedelta", "Decimal", "UUID", "Range", "Multirange"),
        *("Connection", "EnumInfo", "CompositeInfo", "RangeInfo", "MultirangeInfo", "TypeInfo", "Format", "Callable"),
        *_ALIASES,
        *(name for names_ in _ALIASES.values() for name in names_),
    }
)
_RESERVED_FIELDS: Final = ("COLUMNS", "TABLE", "ClassVar", "Literal", "LiteralString")
_HEADER: Final = '''\
"""Rows of {system}, typed.

`pgcontract models` writes this from the contract: change the schema, not this.
"""

from __future__ import annotations
'''
_NULL_FREE: Final = re.compile(r"\(*array_position\((?P<column>[^,()]+), NULL::[^()]+\) IS NULL\)*")


@dataclass(frozen=True, slots=True)
class _Thing:
    """What becomes a class: an enum, a composite type, the values of a table's row type, or a relation's rows."""

    made_of: Enum | Composite | Table | View
    name: Name
    is_value: bool = False

    @property
    def is_row(self) -> bool:
        return isinstance(self.made_of, Table | View) and not self.is_value

    @property
    def columns(self) -> Sequence[Column]:
        match self.made_of:
            case Enum():
                return ()
            case Composite():
                return self.made_of.attributes
            case _:
                return self.made_of.columns


def source(
    system: str, catalog: Catalog, called: Mapping[str, str] | None = None, secrets: Collection[str] = ()
) -> str:
    """The module's text: an enum a class, a composite type a class, a table, view or materialised view a class.

    A partition's rows are its parent's. ``called`` are names of classes, by tables and types, where others are wanted
    than their own in the singular. ``secrets`` are columns, as ``users.password_hash``, that no repr shows. Raises
    UsageError where there is no such thing, or no class can be called so.
    """
    every: list[Table | View] = [*catalog.tables, *catalog.views]
    relations: list[Table | View] = [
        *(table for table in catalog.tables if table.partition_of is None),
        *catalog.views,
    ]
    columns = [column for relation in relations for column in relation.columns]
    told = registered([column.type for column in columns], catalog)
    as_values = {one.name for one in told if one.kind == "composite"}
    things = [
        *(_Thing(enum, enum.name) for enum in catalog.enums),
        *(_Thing(composite, composite.name) for composite in catalog.composites),
        *(_Thing(t, t.name, is_value=True) for t in every if t.name in as_values),
        *(_Thing(relation, relation.name) for relation in relations),
    ]
    wanted = _wanted(called or {}, [thing.name for thing in things])
    chosen = names.free_classes(
        [
            names.Called(t.name, isinstance(t.made_of, Table | View), "Value" * t.is_value, wanted.get(t.name))
            for t in things
        ],
        _RESERVED,
    )
    classes = {thing.name: name for thing, name in zip(things, chosen, strict=True) if not thing.is_row}
    writer = _Writer(Types(catalog, classes), set(chosen), _secret(secrets, things))
    bodies = [writer.of(thing, name) for thing, name in zip(things, chosen, strict=True)]
    if told:
        bodies.append(writer.register(told))
    head = "".join(f"\n{part}\n" for part in writer.head())
    return _HEADER.format(system=names.prose(system)) + head + "".join(f"\n\n{body.strip()}\n" for body in bodies)


def _wanted(called: Mapping[str, str], there: Collection[Name]) -> dict[Name, str]:
    known = {str(name): name for name in there}
    found: dict[Name, str] = {}
    for key, name in called.items():
        why = (
            "There is no such table or type"
            if key not in known
            else "Two classes cannot be called alike"
            if name in found.values()
            else None
            if names.is_free(name, _RESERVED)
            else "No class can be called so"
        )
        if why is not None:
            raise UsageError(why, where="[models] in system.toml", seen=f"{key} = {name}", remedy="correct it")
        found[known[key]] = name
    return found


def _secret(secrets: Collection[str], things: Sequence[_Thing]) -> frozenset[tuple[Name, str]]:
    """The columns that are named, each by its table, view or type."""
    known: dict[str, tuple[Name, str]] = {}
    for thing in things:
        for column in thing.columns:
            key = f"{thing.name}.{id_part(column.name)}"
            known |= dict.fromkeys((key, f"{thing.name.namespace}.{key}"), (thing.name, column.name))
    for secret in secrets:
        if secret not in known:
            raise UsageError(
                "There is no such column",
                where="secrets in system.toml",
                seen=secret,
                remedy="name it as table.column, or schema.table.column",
            )
    return frozenset(known[secret] for secret in secrets)


class _Writer:
    """Writes classes, and keeps what they need imported. No repr shows a column that is ``secret``."""

    def __init__(self, types: Types, classes: Collection[str], secret: Collection[tuple[Name, str]]) -> None:
        self._types = types
        self._classes = classes
        self._secret = secret
        self._imports: set[tuple[str, str]] = set()
        self._modules: set[str] = set()
        self._aliases: set[str] = set()
        self._choices: dict[str, str] = {}

    def of(self, thing: _Thing, name: str) -> str:
        """One class."""
        match thing.made_of:
            case Enum():
                return self._enum(thing.made_of, name)
            case Composite():
                return self._values(name, thing, f"A value of type {names.prose(thing.name.name)}.")
            case _ if thing.is_value:
                words = f"A row of {names.prose(thing.name.name)} as a value: any part of it may be NULL."
                return self._values(name, thing, words)
            case _:
                return self._row(thing.made_of, name)

    def _enum(self, enum: Enum, name: str) -> str:
        self._imports.add(("enum", "StrEnum"))
        lines = [f"class {name}(StrEnum):", f'    """Labels of {names.prose(enum.name.name)}."""']
        members = names.free_members(enum.labels)
        lines += [""] * bool(members)
        lines += [f"    {member} = {names.literal(label)}" for member, label in zip(members, enum.labels, strict=True)]
        return "\n".join(lines)

    def _values(self, name: str, thing: _Thing, words: str) -> str:
        lines = self._opening(name, words)
        fields = names.free_fields((a.name for a in thing.columns), self._taken(()))
        lines += [""] * bool(fields)
        for field, attribute in zip(fields, thing.columns, strict=True):
            shown = f"{self._text(self._types.of(attribute.type), fields)} | None"
            lines.append(_line(f"    {field}: {shown}{self._kept_out(thing.name, attribute, fields)}"))
        return "\n".join(lines)

    def _row(self, relation: Table | View, name: str) -> str:
        self._imports |= {("typing", "ClassVar"), ("typing", "LiteralString")}
        fields = names.free_fields((c.name for c in relation.columns), self._taken(_RESERVED_FIELDS))
        lines = self._opening(name, f"A row of {names.prose(relation.name.name)}.")
        table = f"{names.quoted(relation.name.namespace)}.{names.quoted(relation.name.name)}"
        lines += ["", _line(f"    TABLE: ClassVar[LiteralString] = {names.literal(table)}")]
        lines += list(_columns(relation.columns, fields))
        lines += [""] * bool(fields)
        null_free = _null_free(relation.checks) if isinstance(relation, Table) else frozenset()
        for field, column in zip(fields, relation.columns, strict=True):
            listed = choices(relation, column) if isinstance(relation, Table) else ()
            if listed:
                shown = self._choice(names.choice_name(name, column.name), listed, fields)
            else:
                shown = self._text(self._types.of(column.type, holds_null=column.name not in null_free), fields)
            null = "" if column.not_null or self._refuses_null(relation, column) else " | None"
            kept_out = self._kept_out(relation.name, column, fields)
            lines.append(_line(f"    {field}: {shown}{'' if shown == 'Any' else null}{kept_out}"))
        return "\n".join(lines)

    def _kept_out(self, owner: Name, column: Column, fields: Collection[str]) -> str:
        """What keeps a secret's field out of its class's repr, which ends up in logs and tracebacks."""
        if (owner, column.name) not in self._secret:
            return ""
        return f" = {self._named(Named('dataclasses', 'field'), fields)}(repr=False)"

    def _choice(self, wanted: str, listed: Sequence[str], fields: Collection[str]) -> str:
        """A name for the texts that a column may hold."""
        self._imports |= {("typing", "Literal"), ("typing", "TypeAlias")}
        name = names.free(wanted, {*self._classes, *self._choices, *_RESERVED, *fields})
        self._choices[name] = "\n".join([f"{name}: TypeAlias = Literal[", *map(_item, listed), "]"])
        return name

    def _refuses_null(self, relation: Table | View, column: Column) -> bool:
        # a view may join: what is never NULL in its table may be there
        return isinstance(relation, Table) and self._types.refuses_null(column.type)

    def _opening(self, name: str, words: str) -> list[str]:
        self._imports.add(("dataclasses", "dataclass"))
        return ["@dataclass(frozen=True, slots=True)", f"class {name}:", f'    """{words}"""']

    def _taken(self, reserved: Iterable[str]) -> frozenset[str]:
        # a class that is hidden by a field of its name could not be named below it
        return frozenset({*reserved, *self._classes, *_ALIASES, *(f"_{module}" for module in _QUALIFIED)})

    def _text(self, annotation: Annotation, fields: Collection[str]) -> str:
        if isinstance(annotation, Named):
            return self._named(annotation, fields)
        inner = self._text(annotation.inner, fields)
        null = " | None" if annotation.nullable and inner != "Any" else ""
        return f"{self._named(annotation.outer, fields)}[{inner}{null}]"

    def _named(self, named: Named, fields: Collection[str]) -> str:
        if named.module == LOCAL:
            if named.name in _ALIASES:
                self._aliases.add(named.name)
            return named.name
        if named.name in fields:
            # a field of that name hides it
            self._modules.add(named.module)
            return f"_{_QUALIFIED[named.module]}.{named.name}"
        if named.module != BUILTINS:
            self._imports.add((named.module, named.name))
        return named.name

    def register(self, told: Sequence[Registered]) -> str:
        """The function that tells psycopg, and what it is made of."""
        self._imports |= {("typing", "Any"), ("psycopg", "Connection")}
        kinds = {one.kind for one in told}
        lines = [
            "def register(connection: Connection[Any]) -> None:",
            '    """Have a connection load these types as above; call it with each new connection."""',
        ]
        for one in told:
            parts = [names.literal(one.type)]
            if one.name is not None:
                parts.append(self._types.classes[one.name])
            if one.base is not None:
                parts.append(names.literal(one.base))
            lines.append(_line(f"    _register_{one.kind}(connection, {', '.join(parts)})"))
        for kind in kinds:
            self._imports |= IMPORTS[kind]
        return "\n\n\n".join(["\n".join(lines), *(HELPERS[kind].strip() for kind in HELPERS if kind in kinds)])

    def head(self) -> Iterator[str]:
        """The imports, as isort has them, and the aliases."""
        if self._aliases:
            self._imports.add(("typing", "TypeAlias"))
            self._imports |= {("ipaddress", name) for alias in self._aliases for name in _ALIASES[alias]}
        by_module: dict[str, set[str]] = {}
        for module, name in self._imports:
            by_module.setdefault(module, set()).add(name)
        third = {module for module in {*by_module, *self._modules} if module.startswith("psycopg")}
        for group in ({*by_module, *self._modules} - third, third):
            if group:
                yield "\n".join([*self._plain(group), *_from(group, by_module)])
        aliases = [f"{alias}: TypeAlias = {' | '.join(_ALIASES[alias])}" for alias in sorted(self._aliases)]
        if aliases or self._choices:
            yield "\n".join([*aliases, *self._choices.values()])

    def _plain(self, group: Collection[str]) -> Iterator[str]:
        for module in sorted(self._modules & set(group)):
            yield f"import {module} as _{_QUALIFIED[module]}"


_QUALIFIED: Final = {
    BUILTINS: "builtins",
    "dataclasses": "dataclasses",
    "datetime": "datetime",
    "decimal": "decimal",
    "typing": "typing",
    "uuid": "uuid",
    "psycopg.types.range": "range",
    "psycopg.types.multirange": "multirange",
}


def _from(group: Collection[str], by_module: dict[str, set[str]]) -> Iterator[str]:
    for module in sorted(set(group) & set(by_module)):
        # constants, then classes, then functions: isort's order, which has no constants here
        ordered = sorted(by_module[module], key=lambda name: (not name[0].isupper(), name))
        line = f"from {module} import {', '.join(ordered)}"
        yield (
            line
            if len(line) <= _SHORT
            else "\n".join([f"from {module} import (", *(f"    {name}," for name in ordered), ")"])
        )


def _line(text: str) -> str:
    """A line that no formatter breaks."""
    return text if len(text) <= _SHORT else f"{text}  # fmt: skip"


def _item(text: str) -> str:
    return _line(f"    {names.literal(text)},")


def _columns(columns: Sequence[Column], fields: Sequence[str]) -> Iterator[str]:
    """The columns as a query selects them, under their fields' names."""
    shown = [
        names.quoted(column.name) + ("" if column.name == field else f" AS {names.quoted(field)}")
        for column, field in zip(columns, fields, strict=True)
    ]
    yield '    COLUMNS: ClassVar[LiteralString] = """'
    indent = " " * 8
    # a column and its alias stay together
    text = ", ".join(part.replace(" ", "\0") for part in shown)
    lines = textwrap.wrap(
        text, _FILL, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    for line in lines:
        yield line.replace("\0", " ")
    yield '    """'


def _null_free(checks: Iterable[Check]) -> frozenset[str]:
    """The array columns that a CHECK keeps free of NULLs; only one that says nothing else is understood."""
    found = (_NULL_FREE.fullmatch(check.expression) for check in checks if check.validated and check.enforced)
    return frozenset(match["column"].strip('"') for match in found if match)
