"""CHECK expressions as conditions: AND, OR and NOT over atoms, with NOT pushed down to the atoms.

PostgreSQL's logic has three values, and a CHECK passes on NULL. What is built here speaks of true and of false only:
each branch is one sufficient way, and whoever needs the third value (a column left NULL) asks the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, TypeAlias

from pgcontract import sql
from pgcontract.values.terms import Distinct, Logic, Op, Quantified, Term, Test, columns_of, enum_name, term

_OPPOSITE: Final = {
    "=": "<>",
    "<": ">=",
    ">": "<=",
    "~": "!~",
    "~*": "!~*",
    "~~": "!~~",
    "~~*": "!~~*",
}
_OPPOSITES: Final = _OPPOSITE | {v: k for k, v in _OPPOSITE.items()}
_COMPARISONS: Final = frozenset(_OPPOSITES) | {"@>", "<@", "&&", "?", "?|", "?&", "^@"}
_COUNTS: Final = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_SEARCH: Final = 16
"""How many times ``limit`` combinations are looked at before a bounded normal form is given up as complete."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A condition without AND, OR and NOT of its own. ``text`` is SQL that can be evaluated by itself."""

    text: str
    columns: frozenset[str]
    term: Term


@dataclass(frozen=True, slots=True)
class Not:
    """An atom that must not hold."""

    part: Atom


@dataclass(frozen=True, slots=True)
class All:
    """Holds where all of its parts do."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where any of its parts does."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Atom | Not | All | AnyOf


@dataclass(frozen=True, slots=True)
class Literal:
    """An atom that is to be true, or false. Neither is NULL."""

    atom: Atom
    truth: bool

    def __str__(self) -> str:
        return self.atom.text if self.truth else f"NOT ({self.atom.text})"


Conjunction: TypeAlias = tuple[Literal, ...]


@lru_cache(maxsize=4096)
def _parsed(expression: str, columns: frozenset[str]) -> Condition:
    return _Builder(columns).condition(sql.parse_expression(expression), truth=True)


def parse_check(expression: str, columns: Collection[str]) -> Condition:
    """Parse a boolean expression; ``columns`` are the names that it may use as columns.

    A domain's CHECK uses the one column ``value``. Raises SqlError where it does not parse.
    """
    return _parsed(expression, frozenset(columns))


def atoms(condition: Condition) -> tuple[Atom, ...]:
    """All distinct atoms, in the order in which they stand."""
    return tuple(dict.fromkeys(leaf for leaf, _ in _leaves(condition)))


def columns(condition: Condition) -> frozenset[str]:
    """All columns that a condition speaks of."""
    return frozenset().union(*(atom.columns for atom in atoms(condition)))


def branches(condition: Condition, truth: bool, limit: int = 64) -> tuple[Conjunction, ...]:
    """Return the ways to make it true (or false): at most ``limit`` conjunctions, none of which contradicts itself.

    They may be none: ``x IS NULL AND x IS NOT NULL`` cannot be made true.
    """
    return _minimal(islice(_ways(condition, truth, limit), limit * _SEARCH))[:limit]


def deciding(condition: Condition, atom: Atom, limit: int = 64) -> tuple[Conjunction, ...]:
    """Return conjunctions in which the whole is false because of this atom alone: flipping it would make it true.

    Active-clause coverage: on the atom's path AND-siblings are true and OR-siblings false.
    """
    found: list[Conjunction] = []
    for truth, rest in _paths(condition, atom, limit):
        # with the atom on its right side, too, the siblings must be as they are: they may speak of it themselves
        flipped = _merged(_without(rest, atom), (Literal(atom, truth),))
        conjunction = _merged(rest, (Literal(atom, not truth),))
        if conjunction is not None and flipped is not None and evaluate(condition, flipped) is not False:
            found.append(conjunction)
    return _minimal(found)[:limit]


def evaluate(condition: Condition, literals: Iterable[Literal]) -> bool | None:
    """Return what the literals alone make of the condition; None where they leave it open."""
    known = {literal.atom: literal.truth for literal in literals}
    return _evaluate(condition, known)


def _evaluate(condition: Condition, known: dict[Atom, bool]) -> bool | None:
    match condition:
        case Atom():
            return known.get(condition)
        case Not(part=part):
            truth = known.get(part)
            return None if truth is None else not truth
        case All(parts=parts) | AnyOf(parts=parts):
            decisive = isinstance(condition, AnyOf)
            truths = [_evaluate(p, known) for p in parts]
            return decisive if decisive in truths else None if None in truths else not decisive


def _leaves(condition: Condition) -> Iterator[tuple[Atom, bool]]:
    match condition:
        case Atom():
            yield condition, True
        case Not(part=part):
            yield part, False
        case All(parts=parts) | AnyOf(parts=parts):
            for inner in parts:
                yield from _leaves(inner)


def _ways(condition: Condition, truth: bool, limit: int) -> Iterator[Conjunction]:
    match condition:
        case Atom():
            yield (Literal(condition, truth),)
        case Not(part=part):
            yield (Literal(part, not truth),)
        case All(parts=parts) | AnyOf(parts=parts):
            if isinstance(condition, All) is truth:
                yield from _product([branches(p, truth, limit) for p in parts])
            else:
                for inner in parts:
                    yield from _ways(inner, truth, limit)


def _product(choices: list[tuple[Conjunction, ...]]) -> Iterator[Conjunction]:
    """One way of each, merged; contradictions are cut off as soon as they show."""

    def extend(start: Conjunction, rest: list[tuple[Conjunction, ...]]) -> Iterator[Conjunction]:
        if not rest:
            yield start
            return
        for way in rest[0]:
            if (merged := _merged(start, way)) is not None:
                yield from extend(merged, rest[1:])

    return extend((), choices)


def _merged(one: Conjunction, other: Conjunction) -> Conjunction | None:
    known = {literal.atom: literal.truth for literal in one}
    if any(known.get(literal.atom, literal.truth) is not literal.truth for literal in other):
        return None
    return tuple(dict.fromkeys((*one, *other)))


def _without(conjunction: Conjunction, atom: Atom) -> Conjunction:
    return tuple(literal for literal in conjunction if literal.atom != atom)


def _minimal(conjunctions: Iterable[Conjunction]) -> tuple[Conjunction, ...]:
    """Each one once, and none that only adds literals to another."""
    kept: list[tuple[frozenset[Literal], Conjunction]] = []
    for conjunction in conjunctions:
        literals = frozenset(conjunction)
        if not any(other <= literals for other, _ in kept):
            kept = [(other, c) for other, c in kept if not literals <= other]
            kept.append((literals, conjunction))
    return tuple(conjunction for _, conjunction in kept)


def _paths(condition: Condition, atom: Atom, limit: int) -> Iterator[tuple[bool, Conjunction]]:
    """For each place of the atom: the truth that is right there, and what its siblings must be."""
    match condition:
        case Atom() | Not():
            leaf, truth = next(_leaves(condition))
            if leaf == atom:
                yield truth, ()
        case All(parts=parts) | AnyOf(parts=parts):
            want = isinstance(condition, All)
            for n, part in enumerate(parts):
                inner = list(_paths(part, atom, limit))
                if not inner:
                    continue
                siblings = [branches(p, want, limit) for m, p in enumerate(parts) if m != n]
                for beside in islice(_product(siblings), limit * _SEARCH):
                    for truth, rest in inner:
                        if (merged := _merged(rest, beside)) is not None:
                            yield truth, merged


class _Builder:
    """Builds a condition of a parse tree; an atom that is another's opposite becomes its negation."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._atoms: dict[Term, Atom] = {}

    def condition(self, node: Any, *, truth: bool) -> Condition:
        kind = node.WhichOneof("node")
        inner = getattr(node, kind)
        if kind == "bool_expr":
            match enum_name(inner, "boolop"):
                case "NOT_EXPR":
                    return self.condition(inner.args[0], truth=not truth)
                case name:
                    return self._joined(name == "AND_EXPR", [self.condition(a, truth=truth) for a in inner.args], truth)
        if kind == "a_expr":
            found = self._between(node, truth) or self._equivalence(inner, truth) or self._counted(node, truth)
            if found is not None:
                return found
        if kind == "case_expr" and not inner.HasField("arg"):
            return self._case(inner, truth)
        return self._atom(node, truth)

    @staticmethod
    def _joined(conjunction: bool, parts: list[Condition], truth: bool) -> Condition:
        kind = All if conjunction is truth else AnyOf
        flat: list[Condition] = []
        for part in parts:
            flat += part.parts if isinstance(part, kind) else (part,)
        return flat[0] if len(flat) == 1 else kind(tuple(flat))

    def _between(self, node: Any, truth: bool) -> Condition | None:
        expr = node.a_expr
        name = enum_name(expr, "kind")
        if name not in {"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN"}:
            return None
        low, high = expr.rexpr.list.items
        parts = [
            self.condition(_comparison(node, expr.lexpr, operator, end), truth=truth is (name == "AEXPR_BETWEEN"))
            for operator, end in ((">=", low), ("<=", high))
        ]
        return self._joined(True, parts, truth is (name == "AEXPR_BETWEEN"))

    def _equivalence(self, expr: Any, truth: bool) -> Condition | None:
        """``(a IS NULL) = (b IS NULL)``: both or neither, which is the same in three-valued logic as well."""
        if enum_name(expr, "kind") != "AEXPR_OP" or not expr.HasField("lexpr"):
            return None
        operator = expr.name[-1].string.sval
        sides = (expr.lexpr, expr.rexpr)
        if operator not in {"=", "<>"} or not any(_is_condition(s) for s in sides):
            return None
        if any(s.WhichOneof("node") != "column_ref" and not _is_condition(s) for s in sides):
            return None
        left, right = sides
        same = truth is (operator == "=")
        both = All((self.condition(left, truth=True), self.condition(right, truth=same)))
        neither = All((self.condition(left, truth=False), self.condition(right, truth=not same)))
        return AnyOf((both, neither))

    def _counted(self, node: Any, truth: bool) -> Condition | None:
        """``num_nonnulls(a, b) = 2``, or 0: each IS NULL, or IS NOT NULL; None where there are other ways, too."""
        expr = node.a_expr
        call = expr.lexpr.func_call if expr.lexpr.WhichOneof("node") == "func_call" else None
        constant = expr.rexpr.a_const if expr.rexpr.WhichOneof("node") == "a_const" else None
        if enum_name(expr, "kind") != "AEXPR_OP" or call is None or constant is None or call.func_variadic:
            return None
        name, compare = call.funcname[-1].string.sval, _COUNTS.get(expr.name[-1].string.sval)
        columns = all(arg.WhichOneof("node") == "column_ref" for arg in call.args)
        if name not in {"num_nulls", "num_nonnulls"} or compare is None or not columns:
            return None
        if constant.WhichOneof("val") != "ival":
            return None
        sizes = {n for n in range(len(call.args) + 1) if compare(n, constant.ival.ival)}
        if sizes not in ({0}, {len(call.args)}):
            return None
        null = (name == "num_nulls") is (sizes != {0})
        tests = [type(node)(null_test=type(node.null_test)(arg=arg, nulltesttype="IS_NULL")) for arg in call.args]
        return self._joined(True, [self.condition(test, truth=truth is null) for test in tests], truth)

    def _case(self, expr: Any, truth: bool) -> Condition:
        """One way for each WHEN, the first that holds. A WHEN that is NULL counts as false: that way is left out."""
        ways: list[Condition] = []
        earlier: list[Condition] = []
        for when in expr.args:
            test = when.case_when.expr
            ways.append(All((*earlier, self.condition(test, truth=True), self._result(when.case_when.result, truth))))
            earlier.append(self.condition(test, truth=False))
        if expr.HasField("defresult"):
            ways.append(All((*earlier, self._result(expr.defresult, truth))))
        return ways[0] if len(ways) == 1 else AnyOf(tuple(ways))

    def _result(self, node: Any, truth: bool) -> Condition:
        constant = node.a_const if node.WhichOneof("node") == "a_const" else None
        if constant is not None and constant.WhichOneof("val") == "boolval":
            return All(()) if constant.boolval.boolval is truth else AnyOf(())
        return self.condition(node, truth=truth)

    def _atom(self, node: Any, truth: bool) -> Condition:
        tree = term(node, self._names)
        for found in (tree, opposite(tree)):
            if found is not None and found in self._atoms:
                atom = self._atoms[found]
                return atom if truth is (found == tree) else Not(atom)
        atom = Atom(sql.deparse_expression(node), columns_of(tree), tree)
        self._atoms[tree] = atom
        return atom if truth else Not(atom)


def opposite(tree: Term) -> Term | None:
    """Return the term that is true exactly where this one is false, and NULL where it is NULL; None if unknown."""
    match tree:
        case Op(name=name, left=left, right=right) if name in _OPPOSITES and left is not None:
            return Op(_OPPOSITES[name], left, right)
        case Quantified(name=name, left=left, right=right, every=every) if name in _OPPOSITES:
            return Quantified(_OPPOSITES[name], left, right, every=not every)
        case Test(arg=arg, what=what, negated=negated):
            return Test(arg, what, negated=not negated)
        case Distinct(left=left, right=right, negated=negated):
            return Distinct(left, right, negated=not negated)
        case Logic(name="NOT", args=(arg,)):
            return arg
        case _:
            return None


def _is_condition(node: Any) -> bool:
    """Whether the node is boolean for sure."""
    kind = node.WhichOneof("node")
    if kind in {"null_test", "boolean_test", "bool_expr"}:
        return True
    if kind == "a_expr":
        name = enum_name(node.a_expr, "kind")
        return name != "AEXPR_NULLIF" and (name != "AEXPR_OP" or node.a_expr.name[-1].string.sval in _COMPARISONS)
    return False


def _comparison(node: Any, left: Any, operator: str, right: Any) -> Any:
    expr = type(node.a_expr)(kind="AEXPR_OP", lexpr=left, rexpr=right)
    expr.name.add().string.sval = operator
    return type(node)(a_expr=expr)
