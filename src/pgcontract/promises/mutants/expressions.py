"""A boolean expression with one small thing changed, on PostgreSQL's own parse tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from pgcontract import sql
from pgcontract.values.terms import enum_name

RELAXED: Final = {"<": "<=", ">": ">="}
TIGHTENED: Final = {"<=": "<", ">=": ">"}
OTHER: Final = {
    "=": "<>",
    "<>": "=",
    "~": "~*",
    "~*": "~",
    "!~": "~",
    "~~": "~~*",
    "!~~": "~~",
    "+": "-",
    "-": "+",
    "*": "/",
}
CLOCK: Final = "clock_timestamp"
RANGES: Final = {"jsonb_typeof": ("object", "array", "string", "number", "boolean", "null")}
"""All that a function returns, where that is little."""
UPWARD: Final = frozenset({"<", "<="})
"""Comparisons that a greater constant on their right relaxes."""
DOWNWARD: Final = frozenset({">", ">="})
Change = Callable[[Any], Iterator[tuple[str, Any]]]
"""What may stand in a message's place, each by the name of the change."""


def variants(expression: str) -> Iterator[tuple[str, str, str | None]]:
    """Every expression that is one change away: by which operator, and why it is the same for every row if it is.

    None comes twice. Raises SqlError where the text is no expression.
    """
    seen = {sql.deparse_expression(sql.parse_expression(expression))}
    for operator, tree in changed(sql.parse_expression(expression), replaced):
        text = sql.deparse_expression(tree)
        if text not in seen:
            seen.add(text)
            yield operator, text, _same(operator, tree, expression)


def _same(operator: str, tree: Any, expression: str) -> str | None:
    """Why no row can tell the two expressions apart."""
    if operator in {"relax_bound", "tighten_bound"} and CLOCK in expression:
        before, after = (re.split(r"[<>]=?", text) for text in (expression, sql.deparse_expression(tree)))
        if [part.strip(" ()") for part in before] == [part.strip(" ()") for part in after]:
            return f"{CLOCK}() is another at each call: nothing is equal to it"
    if operator == "replace_operator" and _ignores_case(expression, sql.deparse_expression(tree)):
        return "the pattern has no letter whose case matters"
    if operator == "add_in_value" and any(f"{name}(" in expression for name in RANGES):
        added = set(re.findall(r"'(\w+)'", sql.deparse_expression(tree))) - set(re.findall(r"'(\w+)'", expression))
        if added - {value for values in RANGES.values() for value in values}:
            return "no function returns that"
    return None


def _ignores_case(expression: str, changed: str) -> bool:
    """Whether all that was changed is that a pattern ignores the case, which it does anyway."""
    if changed.count("~*") == expression.count("~*"):
        return False
    patterns = [t.text for t in sql.scan(expression) if t.kind == "SCONST"]
    plain = [re.sub(r"A-Za-z|a-zA-Z|\\\\?[a-zA-Z]", "", pattern).removeprefix("E") for pattern in patterns]
    return not any(c.isalpha() for pattern in plain for c in pattern)


def changed(message: Any, change: Change) -> Iterator[tuple[str, Any]]:
    """Copies of a message with one change in it, or below it."""
    yield from change(message)
    for field, value in list(message.ListFields()):
        if field.message_type is None:
            continue
        repeated = not hasattr(value, "ListFields")
        for number, part in enumerate(value if repeated else [value]):
            for operator, new in changed(part, change):
                copy = copied(message)
                place = getattr(copy, field.name)
                (place[number] if repeated else place).CopyFrom(new)
                yield operator, copy


def replaced(message: Any) -> Iterator[tuple[str, Any]]:
    """What stands in the place of a condition, or of a part of one."""
    kind = message.WhichOneof("node") if message.DESCRIPTOR.name == "Node" else None
    match kind:
        case "bool_expr":
            yield from _logic(message)
        case "a_expr":
            yield from _operator(message)
            yield from _bound(message)
            yield from _returned(message)
        case "a_array_expr":
            yield from _elements(message)
        case "null_test":
            copy = copied(message)
            copy.null_test.nulltesttype = (
                "IS_NOT_NULL" if enum_name(message.null_test, "nulltesttype") == "IS_NULL" else "IS_NULL"
            )
            yield "replace_operator", copy


def _logic(node: Any) -> Iterator[tuple[str, Any]]:
    name = enum_name(node.bool_expr, "boolop")
    if name == "NOT_EXPR":
        yield "negate_condition", node.bool_expr.args[0]
        return
    parts = list(node.bool_expr.args)
    for number in range(len(parts)):
        rest = [p for n, p in enumerate(parts) if n != number]
        copy = copied(node)
        del copy.bool_expr.args[:]
        copy.bool_expr.args.extend(rest)
        yield "drop_conjunct" if name == "AND_EXPR" else "drop_disjunct", rest[0] if len(rest) == 1 else copy
    copy = copied(node)
    copy.bool_expr.boolop = "OR_EXPR" if name == "AND_EXPR" else "AND_EXPR"
    yield "replace_operator", copy


def _operator(node: Any) -> Iterator[tuple[str, Any]]:
    if enum_name(node.a_expr, "kind") != "AEXPR_OP" or not node.a_expr.HasField("lexpr"):
        return
    name = node.a_expr.name[-1].string.sval
    for operator, others in (("relax_bound", RELAXED), ("tighten_bound", TIGHTENED), ("replace_operator", OTHER)):
        if name in others:
            copy = copied(node)
            copy.a_expr.name[-1].string.sval = others[name]
            yield operator, copy


def _bound(node: Any) -> Iterator[tuple[str, Any]]:
    """A constant that something is compared with, one more and one less."""
    if enum_name(node.a_expr, "kind") != "AEXPR_OP":
        return
    name = node.a_expr.name[-1].string.sval
    for step in (1, -1):
        copy = copied(node)
        if _shifted(copy.a_expr.rexpr, step):
            if name in UPWARD | DOWNWARD:
                yield "relax_bound" if (step > 0) is (name in UPWARD) else "tighten_bound", copy
            else:
                yield "change_constant", copy


def _shifted(node: Any, step: int) -> bool:
    """Shift the number that a node is, be it cast or not; whether it was one."""
    kind = node.WhichOneof("node")
    if kind == "type_cast":
        return _shifted(node.type_cast.arg, step)
    if kind != "a_const":
        return False
    match node.a_const.WhichOneof("val"):
        case "ival":
            node.a_const.ival.ival += step
        case "fval":
            node.a_const.fval.fval = str(float(node.a_const.fval.fval) + step)
        case "sval" if node.a_const.sval.sval.lstrip("-").isdigit():
            node.a_const.sval.sval = str(int(node.a_const.sval.sval) + step)
        case _:
            return False
    return True


def _elements(node: Any) -> Iterator[tuple[str, Any]]:
    """A list of values with one less, and with one more."""
    elements = list(node.a_array_expr.elements)
    for number in range(len(elements) if len(elements) > 1 else 0):
        copy = copied(node)
        del copy.a_array_expr.elements[number]
        yield "remove_in_value", copy
    if elements:
        added = copied(elements[0])
        constant = _constant(added)
        value = constant.a_const.WhichOneof("val") if constant.WhichOneof("node") == "a_const" else None
        if value == "sval":
            text = constant.a_const.sval.sval
            others = {_constant(e).a_const.sval.sval for e in elements}
            # a column of codes has no room for more
            codes = (letter * len(text) for letter in "XYZ")
            short = next((code for code in codes if code not in others), None) if len(text) in {1, 2} else None
            constant.a_const.sval.sval = short or f"{text}_mutant"
        elif value == "ival":
            constant.a_const.ival.ival += 100 + len(elements)
        else:
            return
        copy = copied(node)
        copy.a_array_expr.elements.append(added)
        yield "add_in_value", copy


def _returned(node: Any) -> Iterator[tuple[str, Any]]:
    """A list of what a function may return, with one more of it."""
    left = node.a_expr.lexpr
    names = RANGES.get(left.func_call.funcname[-1].string.sval, ()) if left.WhichOneof("node") == "func_call" else ()
    array = node.a_expr.rexpr
    while array.WhichOneof("node") == "type_cast":
        array = array.type_cast.arg
    if not names or array.WhichOneof("node") != "a_array_expr":
        return
    for name in names:
        elements = array.a_array_expr.elements
        if all(name != _constant(e).a_const.sval.sval for e in elements):
            copy = copied(node)
            place = copy.a_expr.rexpr
            while place.WhichOneof("node") == "type_cast":
                place = place.type_cast.arg
            added = copied(elements[0])
            _constant(added).a_const.sval.sval = name
            place.a_array_expr.elements.append(added)
            yield "add_in_value", copy
            return


def _constant(node: Any) -> Any:
    """What is cast."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node


def copied(message: Any) -> Any:
    """A message of its own."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
