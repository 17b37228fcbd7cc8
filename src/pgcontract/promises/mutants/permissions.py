"""Privileges and row policies changed by one small thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from psycopg import sql

from pgcontract.model import DefaultPrivilege, Grant, Name, Policy, Table
from pgcontract.promises.mutants.base import Mutant, alter, quoted
from pgcontract.promises.mutants.expressions import variants
from pgcontract.promises.permission.grants import Reach
from pgcontract.promises.permission.roles import PUBLIC
from pgcontract.promises.permission.targets import SequenceTarget, Target, granting
from pgcontract.rows.statements import Statement, identifier, quote

CODES = {"TABLE": "r", "SEQUENCE": "S", "FUNCTION": "f", "TYPE": "T", "SCHEMA": "n"}
"""What pg_default_acl calls the kinds of objects."""
COMMANDS = ("ALL", "SELECT", "INSERT", "UPDATE", "DELETE")


def privilege_mutants(grant: Grant, reach: Reach, public: frozenset[str], beyond: Iterable[Reach]) -> Iterator[Mutant]:
    """A privilege less, one more, one that may be passed on, one for everybody; and one on each other object."""
    target, to = reach.target, _grantee(grant.grantee)
    if grant.revoked:
        for privilege in grant.privileges:
            yield Mutant("grant_more", privilege, (granting(target, privilege, PUBLIC),))
        return
    for privilege in grant.privileges:
        same = _needless(target, privilege, reach.may)
        yield Mutant("revoke", privilege, (granting(target, privilege, to, revoke=True),), equivalent=same)
    for privilege in _missing(reach):
        same = _needless(target, privilege, reach.may)
        yield Mutant("grant_more", privilege, (granting(target, privilege, to),), equivalent=same)
    for privilege in grant.privileges if grant.grantee != PUBLIC else ():
        if privilege not in public:
            yield Mutant("grant_more", f"{privilege} to PUBLIC", (granting(target, privilege, PUBLIC),))
        if privilege in grant.grantable:
            taken = granting(target, privilege, to, revoke=True, option=True)
            yield Mutant("revoke", f"GRANT OPTION FOR {privilege}", (taken,))
        else:
            given = granting(target, privilege, to, option=True)
            yield Mutant("grant_more", f"{privilege} WITH GRANT OPTION", (given,))
    for other in beyond:
        for privilege in _missing(other):
            what = f"{privilege} on {other.target.object}"
            yield Mutant("grant_more", what, (granting(other.target, privilege, to),))


def _missing(reach: Reach) -> Iterator[str]:
    return (p for p in reach.target.every if p not in reach.may and p not in reach.open and p not in reach.by_column)


def _needless(target: Target, privilege: str, may: frozenset[str]) -> str | None:
    """Why nobody can tell whether the privilege is held."""
    if isinstance(target, SequenceTarget) and privilege == "USAGE" and {"SELECT", "UPDATE"} <= may:
        return "UPDATE draws a sequence's numbers, and SELECT reads the last one: USAGE adds nothing"
    return None


def default_privilege_mutants(
    default: DefaultPrivilege, missing: Iterable[str], public: frozenset[str]
) -> Iterator[Mutant]:
    """The same of a list of default privileges. ``missing``: what the grantee does not get."""
    if default.revoked:
        for privilege in default.privileges:
            yield Mutant("grant_more", privilege, (_default(default, privilege, PUBLIC),))
        return
    to = _grantee(default.grantee)
    for privilege in default.privileges:
        yield Mutant("revoke", privilege, (_default(default, privilege, to, verb="REVOKE"),))
    for privilege in missing:
        yield Mutant("grant_more", privilege, (_default(default, privilege, to),))
    for privilege in default.privileges if default.grantee != PUBLIC else ():
        if privilege not in public:
            yield Mutant("grant_more", f"{privilege} to PUBLIC", (_default(default, privilege, PUBLIC),))
        if privilege in default.grantable:
            taken = _default(default, privilege, to, verb="REVOKE GRANT OPTION FOR")
            yield Mutant("revoke", f"GRANT OPTION FOR {privilege}", (taken,))
        else:
            given = _default(default, privilege, to, option=" WITH GRANT OPTION")
            yield Mutant("grant_more", f"{privilege} WITH GRANT OPTION", (given,))


def _default(one: DefaultPrivilege, privilege: str, to: str, *, verb: str = "GRANT", option: str = "") -> Statement:
    """Change the lists of all roles that have one for such objects: which those are, no contract says."""
    inside = f" IN SCHEMA {quoted(one.namespace)}" if one.namespace is not None else ""
    preposition = "TO" if verb == "GRANT" else "FROM"
    change = f"{verb} {privilege} ON {one.kind}S {preposition} {to}{option}"
    pattern = quote(f"ALTER DEFAULT PRIVILEGES FOR ROLE %I{inside} {change}".replace("%", "%%").replace("%%I", "%I", 1))
    where = "0" if one.namespace is None else f"{quote(quoted(one.namespace))}::regnamespace"
    body = (
        "DECLARE maker text; BEGIN FOR maker IN SELECT pg_get_userbyid(d.defaclrole) FROM pg_default_acl AS d"
        f" WHERE d.defaclobjtype = {quote(CODES[one.kind])} AND d.defaclnamespace = {where}"
        f" LOOP EXECUTE format({pattern}, maker); END LOOP; END"
    )
    return Statement(f"DO {quote(body)}")


def row_security_mutants(table: Table) -> Iterator[Mutant]:
    """Row security off, or on; for the owner, too, or not."""
    word = "DISABLE" if table.row_security else "ENABLE"
    yield Mutant(f"{word.lower()}_row_security", "", (alter(table.name, f"{word} ROW LEVEL SECURITY"),))
    same = None if table.row_security else "without row security there is nothing that could be forced"
    force = "NO FORCE" if table.force_row_security else "FORCE"
    yield Mutant("toggle_force", force, (alter(table.name, f"{force} ROW LEVEL SECURITY"),), equivalent=same)


def policy_mutants(table: Name, policy: Policy) -> Iterator[Mutant]:
    """A policy gone, for other commands or roles, or with a condition that is one change away."""
    on = f"{quoted(policy.name)} ON {identifier(table).as_string()}"
    gone = Statement(f"DROP POLICY {on}")

    def instead(operator: str, what: str, other: Policy, same: str | None = None) -> Mutant:
        created = Statement(f"CREATE POLICY {on} {policy_definition(other)}")
        return Mutant(operator, f"{policy.name} {what}".strip(), (gone, created), equivalent=same)

    yield Mutant("drop_policy", policy.name, (gone,))
    yield instead("toggle_permissive", "", replace(policy, permissive=not policy.permissive))
    unconditional = {policy.using, policy.check} <= {"true", None} and not policy.permissive
    nothing = "what restricts nothing is the same for any command and role" if unconditional else None
    for command in COMMANDS:
        if command != policy.command:
            yield instead("change_command", command, _for(policy, command), nothing)
    if PUBLIC not in policy.roles:
        yield instead("change_roles", "to PUBLIC", replace(policy, roles=(PUBLIC,)), nothing)
    yield instead("change_roles", "to CURRENT_USER", replace(policy, roles=("CURRENT_USER",)), nothing)
    if policy.using is not None:
        for operator, expression, reason in _conditions(policy.using):
            yield instead(operator, f"USING {expression}", replace(policy, using=expression), reason)
    if policy.check is not None:
        for operator, expression, reason in _conditions(policy.check):
            yield instead(operator, f"WITH CHECK {expression}", replace(policy, check=expression), reason)
        if policy.using is not None:
            reason = "without WITH CHECK, USING is asked" if policy.check == policy.using else None
            yield instead("drop_check", "", replace(policy, check=None), reason)


def policy_definition(policy: Policy) -> str:
    """What stands behind a policy's table."""
    roles = ", ".join(role if role in (PUBLIC, "CURRENT_USER") else quoted(role) for role in policy.roles)
    words = [
        f"AS {'PERMISSIVE' if policy.permissive else 'RESTRICTIVE'} FOR {policy.command} TO {roles}",
        f"USING ({policy.using})" if policy.using is not None else "",
        f"WITH CHECK ({policy.check})" if policy.check is not None else "",
    ]
    return " ".join(word for word in words if word)


def _conditions(expression: str) -> Iterator[tuple[str, str, str | None]]:
    if expression != "true":
        yield "drop_condition", "true", None
    yield from variants(expression)


def _for(policy: Policy, command: str) -> Policy:
    """The policy for another command, with the conditions that the command takes."""
    using, check = policy.using, policy.check
    if command == "INSERT":
        using, check = None, check or using
    elif command in ("SELECT", "DELETE"):
        using, check = using or check, None
    else:
        using = using or check
    return replace(policy, command=command, using=using, check=check)  # type: ignore[arg-type]


def _grantee(name: str) -> str:
    return PUBLIC if name == PUBLIC else sql.Identifier(name).as_string()
