"""The dotted ids of promises: the one place that builds them. Pure functions of names.

An id leaves ``public`` out, as people write it. A name that holds a dot or a quote is quoted, so that an id is as
unique as PostgreSQL's names are, but for the few clashes that ``promises_of`` resolves.
"""

from __future__ import annotations

from typing import Literal

from pgcontract.model import DefaultPrivilege, Function, Grant, Name, id_part

Aspect = Literal["type", "not_null", "null", "default", "generated", "identity", "storage"]
ActionAspect = Literal["on_delete", "on_update"]


def table_id(name: Name) -> str:
    """A table itself."""
    return str(name)


def column_path(table: Name, column: str) -> str:
    """A column, as privileges name it."""
    return f"{table}.{id_part(column)}"


def column_id(table: Name, column: str, aspect: Aspect) -> str:
    """One promise of a column: ``messages.content.type``; ``not_null`` refuses NULL, ``null`` allows it."""
    return f"{column_path(table, column)}.{aspect}"


def constraint_id(table: Name, name: str) -> str:
    """A key, check, foreign key or exclusion of a table, or a check of a domain."""
    return f"{table}.{id_part(name)}"


def action_id(table: Name, name: str, aspect: ActionAspect) -> str:
    """A foreign key's referential action: ``messages.fk_x.on_delete``."""
    return f"{constraint_id(table, name)}.{aspect}"


def index_id(table: Name, name: str) -> str:
    """An index of a table or of a materialised view."""
    return constraint_id(table, name)


def trigger_id(table: Name, name: str) -> str:
    """A trigger of a table or view."""
    return constraint_id(table, name)


def policy_id(table: Name, name: str) -> str:
    """A row policy."""
    return constraint_id(table, name)


def rule_id(table: Name, name: str) -> str:
    """A rewrite rule."""
    return constraint_id(table, name)


def row_security_id(table: Name) -> str:
    """Whether row security is on for a table."""
    return f"{table}.row_security"


def type_id(name: Name) -> str:
    """An enum, domain, composite type or range."""
    return str(name)


def view_id(name: Name) -> str:
    """A view or materialised view."""
    return str(name)


def collation_id(name: Name) -> str:
    """``collation caseless``."""
    return f"collation {name}"


def sequence_id(name: Name) -> str:
    """A sequence."""
    return str(name)


def function_id(name: Name, arguments: str) -> str:
    """A function with its arguments, as ``pg_get_function_identity_arguments`` prints them."""
    return f"{name}({arguments})"


def function_id_of(function: Function) -> str:
    """A function's id."""
    return function_id(function.name, function.arguments)


def namespace_id(name: str) -> str:
    """A schema."""
    return f"schema {id_part(name)}"


def extension_id(name: str) -> str:
    """An extension."""
    return f"extension {id_part(name)}"


def grant_id(grant: Grant) -> str:
    """What one role may do with one object: ``grant app on messages``, ``revoke PUBLIC on function f()``."""
    verb = "revoke" if grant.revoked else "grant"
    kind = "" if grant.kind in ("TABLE", "COLUMN", "DATABASE") else f"{grant.kind.lower()} "
    return f"{verb} {id_part(grant.grantee)} on {kind}{grant.object}"


def default_privilege_id(privilege: DefaultPrivilege) -> str:
    """What a role gets on later objects: ``grant app on later tables in audit``."""
    verb = "revoke" if privilege.revoked else "grant"
    where = "" if privilege.namespace is None else f" in {id_part(privilege.namespace)}"
    return f"{verb} {id_part(privilege.grantee)} on later {privilege.kind.lower()}s{where}"
