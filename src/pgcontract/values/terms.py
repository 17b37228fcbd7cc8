"""Expressions as small frozen trees: what the solver reads of PostgreSQL's own parse tree.

Whatever has no node of its own here is ``Opaque``: its columns and the constants in it are known, its meaning is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pgcontract import sql

_SPELLED: Final = {
    "bool": "boolean",
    "char": '"char"',
    "float4": "real",
    "float8": "double precision",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "varbit": "bit varying",
    "varchar": "character varying",
}
_TEST: Final = {"IS_TRUE": "TRUE", "IS_FALSE": "FALSE", "IS_UNKNOWN": "UNKNOWN"}


@dataclass(frozen=True, slots=True)
class Col:
    """A column by its name; a domain's VALUE is the column ``value``."""

    name: str


@dataclass(frozen=True, slots=True)
class Const:
    """A constant as it is written; ``value`` None is NULL."""

    value: str | None
    kind: Literal["string", "number", "boolean", "bits", "null"]


@dataclass(frozen=True, slots=True)
class Cast:
    """``type`` is spelled as ``format_type`` spells it."""

    arg: Term
    type: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function by its last name; COALESCE, NULLIF, GREATEST, LEAST and casts' kin are calls, too."""

    name: str
    args: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Op:
    """An operator between two terms; ``left`` None where it is a prefix."""

    name: str
    left: Term | None
    right: Term


@dataclass(frozen=True, slots=True)
class Items:
    """ARRAY[…], or the list of IN."""

    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Quantified:
    """``left op ANY (right)``, or ALL."""

    name: str
    left: Term
    right: Term
    every: bool


@dataclass(frozen=True, slots=True)
class Test:
    """``arg IS NULL``, TRUE, FALSE or UNKNOWN; ``negated`` is IS NOT."""

    arg: Term
    what: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Distinct:
    """``left IS DISTINCT FROM right``; ``negated`` is IS NOT DISTINCT FROM."""

    left: Term
    right: Term
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Logic:
    """AND, OR or NOT inside of a term."""

    name: Literal["AND", "OR", "NOT"]
    args: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something whose meaning is left to the database; ``parts`` are the terms within it that were understood."""

    text: str
    parts: tuple[Term, ...] = ()


Term: TypeAlias = Col | Const | Cast | Call | Op | Items | Quantified | Test | Distinct | Logic | Opaque


def term(node: Any, columns: Collection[str]) -> Term:
    """Read a node of the parse tree (``sql.parse_expression``); ``columns`` are the names that may be columns."""
    return _Reader(columns).read(node)


def children(tree: Term) -> tuple[Term, ...]:
    """The terms directly within a term."""
    match tree:
        case Cast(arg=arg) | Test(arg=arg):
            return (arg,)
        case Call(args=args) | Logic(args=args) | Items(items=args) | Opaque(parts=args):
            return args
        case Op(left=None, right=right):
            return (right,)
        case Op(left=left, right=right) if left is not None:
            return (left, right)
        case Quantified(left=left, right=right) | Distinct(left=left, right=right):
            return (left, right)
        case _:
            return ()


def walk(tree: Term) -> Iterator[Term]:
    """The term and all within it, outermost first."""
    yield tree
    for child in children(tree):
        yield from walk(child)


def columns_of(tree: Term) -> frozenset[str]:
    """The columns that a term speaks of."""
    return frozenset(part.name for part in walk(tree) if isinstance(part, Col))


def type_text(node: Any) -> str:
    """Spell a TypeName of the parse tree as ``format_type`` does."""
    names: list[str] = [n.string.sval for n in node.names]
    if names[0] == "pg_catalog":
        name = _SPELLED.get(names[-1], names[-1])
    else:
        name = _SPELLED.get(names[0], names[0]) if len(names) == 1 else ".".join(_quoted(n) for n in names)
    modifiers = [m.a_const.ival.ival for m in node.typmods if m.WhichOneof("node") == "a_const"]
    if modifiers and name == "bpchar":
        name = "character"
    if modifiers and name != "interval":
        first, _, rest = name.partition(" ")
        inside = ",".join(map(str, modifiers))
        name = f"{first}({inside}) {rest}" if rest.startswith("with") else f"{name}({inside})"
    return name + "[]" * bool(node.array_bounds)


def _quoted(name: str) -> str:
    plain = name.isidentifier() and name.isascii() and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'


class _Reader:
    def __init__(self, columns: Collection[str]) -> None:
        self._columns = columns

    def read(self, node: Any) -> Term:
        kind = node.WhichOneof("node")
        reader = getattr(self, f"_{kind}", None)
        found: Term | None = reader(getattr(node, kind)) if reader is not None else None
        return found if found is not None else self._opaque(node)

    def _many(self, nodes: Any) -> tuple[Term, ...]:
        return tuple(self.read(n) for n in nodes)

    def _opaque(self, node: Any) -> Opaque:
        parts: list[Term] = []
        self._collect(getattr(node, node.WhichOneof("node")), parts)
        try:
            text = sql.deparse_expression(node)
        except sql.SqlError:  # a subscript, say, is no expression by itself
            text = node.SerializeToString().hex()
        return Opaque(text, tuple(parts))

    def _collect(self, message: Any, parts: list[Term]) -> None:
        # the nodes directly below, whatever the message calls them
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            for child in value if field.is_repeated else (value,):
                if field.message_type.name == "Node":
                    if child.WhichOneof("node") in {"list", "case_when", "res_target", "sub_link"}:
                        self._collect(getattr(child, child.WhichOneof("node")), parts)
                    elif child.WhichOneof("node") not in {None, "string", "select_stmt"}:
                        parts.append(self.read(child))
                else:
                    self._collect(child, parts)

    def _column_ref(self, ref: Any) -> Term | None:
        names = [f.string.sval for f in ref.fields if f.WhichOneof("node") == "string"]
        return Col(names[-1]) if len(names) == len(ref.fields) and names[-1] in self._columns else None

    def _a_const(self, const: Any) -> Term:
        match const.WhichOneof("val"):
            case "ival":
                return Const(str(const.ival.ival), "number")
            case "fval":
                return Const(const.fval.fval, "number")
            case "sval":
                return Const(const.sval.sval, "string")
            case "boolval":
                return Const("true" if const.boolval.boolval else "false", "boolean")
            case "bsval":
                return Const(const.bsval.bsval[1:], "bits")
            case _:
                return Const(None, "null")

    def _type_cast(self, cast: Any) -> Term:
        return Cast(self.read(cast.arg), type_text(cast.type_name))

    def _collate_clause(self, clause: Any) -> Term | None:
        return Call("COLLATE " + ".".join(n.string.sval for n in clause.collname), (self.read(clause.arg),))

    def _func_call(self, call: Any) -> Term | None:
        if call.HasField("over") or call.agg_star or call.agg_distinct or call.func_variadic or call.agg_order:
            return None
        names = [n.string.sval for n in call.funcname]
        # a user's function may bear the name of one that is known: it is told apart by its schema
        name = names[-1] if len(names) == 1 or names[0] == "pg_catalog" else ".".join(names)
        return Call(name, self._many(call.args))

    def _coalesce_expr(self, expr: Any) -> Term:
        return Call("coalesce", self._many(expr.args))

    def _min_max_expr(self, expr: Any) -> Term:
        return Call("greatest" if expr.op == 1 else "least", self._many(expr.args))

    def _a_array_expr(self, expr: Any) -> Term:
        return Items(self._many(expr.elements))

    def _null_test(self, test: Any) -> Term:
        return Test(self.read(test.arg), "NULL", negated=enum_name(test, "nulltesttype") == "IS_NOT_NULL")

    def _boolean_test(self, test: Any) -> Term:
        name = enum_name(test, "booltesttype")
        return Test(self.read(test.arg), _TEST[name.replace("IS_NOT_", "IS_")], negated="_NOT_" in name)

    def _bool_expr(self, expr: Any) -> Term:
        names: dict[str, Literal["AND", "OR", "NOT"]] = {"AND_EXPR": "AND", "OR_EXPR": "OR", "NOT_EXPR": "NOT"}
        return Logic(names[enum_name(expr, "boolop")], self._many(expr.args))

    def _a_expr(self, expr: Any) -> Term | None:
        names = [n.string.sval for n in expr.name]
        name = names[-1] if len(names) == 1 or names[0] == "pg_catalog" else ".".join(names)
        left = self.read(expr.lexpr) if expr.HasField("lexpr") else None
        match enum_name(expr, "kind"), left:
            case (("AEXPR_OP" | "AEXPR_LIKE" | "AEXPR_ILIKE"), _):
                return Op(name, left, self.read(expr.rexpr))
            case ("AEXPR_OP_ANY" | "AEXPR_OP_ALL") as kind, Col() | Cast() | Call() | Op() | Opaque() | Const():
                return Quantified(name, left, self.read(expr.rexpr), every=kind == "AEXPR_OP_ALL")
            case "AEXPR_IN", Col() | Cast() | Call() | Op() | Opaque() | Const():
                return Quantified(name, left, Items(self._many(expr.rexpr.list.items)), every=name == "<>")
            case ("AEXPR_DISTINCT" | "AEXPR_NOT_DISTINCT") as kind, _ if left is not None:
                return Distinct(left, self.read(expr.rexpr), negated=kind == "AEXPR_NOT_DISTINCT")
            case "AEXPR_NULLIF", _ if left is not None:
                return Call("nullif", (left, self.read(expr.rexpr)))
            case _:
                return None


def enum_name(message: Any, field: str) -> str:
    """Name a message's enum value, as libpg_query spells it."""
    described = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(described.values_by_number[getattr(message, field)].name)
