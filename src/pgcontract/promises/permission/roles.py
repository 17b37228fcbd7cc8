"""Who acts: a role that is there already, or one that is made for a proof and has nothing but what PUBLIC has.

Roles belong to the whole cluster. One that is there already is never altered; one that is made bears a name by chance,
and goes with the transaction.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from psycopg import sql

from pgcontract.rows.statements import Statement, quote
from pgcontract.rows.worlds import Worlds

PUBLIC = "PUBLIC"
_EVERYBODY = "public"
"""What the has_…_privilege functions call PUBLIC; no role can bear this name."""


@dataclass(frozen=True, slots=True)
class Role:
    """Somebody to act as. ``made``: made for the proof. ``member_of``: roles whose privileges it has, too."""

    name: str
    made: bool = False
    exists: bool = True
    superuser: bool = False
    bypasses_rows: bool = False
    """Row security does not hold for it."""

    member_of: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        """The role by the name that has_…_privilege is asked about, also before it is made."""
        return _EVERYBODY if self.made else self.name

    @property
    def creation(self) -> tuple[Statement, ...]:
        """What makes the role, where it is not there. The session is its member, or could not become it."""
        if not self.made:
            return ()
        return (Statement(sql.SQL("CREATE ROLE {} ROLE CURRENT_USER").format(sql.Identifier(self.name)).as_string()),)

    @property
    def acts(self) -> Statement:
        """From here on the session is this role, up to the end of the case."""
        return Statement(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(self.name)).as_string())


def fresh_name(word: str) -> str:
    """A name that nobody has: of a role, or of what is made for a proof."""
    return f"pgcontract_{word}_{secrets.token_hex(5)}"


def fresh(word: str) -> Role:
    """A role to be made."""
    return Role(fresh_name(word), made=True)


def role_of(grantee: str, worlds: Worlds) -> Role:
    """The grantee of a contract as it is on this server; for PUBLIC a role to be made."""
    if grantee == PUBLIC:
        return fresh("anybody")
    name = worlds.roles.get(grantee, grantee)
    others = (
        "SELECT json_agg(o.rolname ORDER BY o.rolname) FROM pg_roles AS o"
        " WHERE o.oid <> r.oid AND pg_has_role(r.oid, o.oid, 'USAGE')"
    )
    question = (
        f"(SELECT json_build_object('superuser', r.rolsuper, 'bypasses', r.rolbypassrls, 'member_of', ({others}))"
        f" FROM pg_roles AS r WHERE r.rolname = {quote(name)})"
    )
    (answer,) = worlds.oracle.evaluate([(question, "text")])
    if answer.value is None:
        return Role(name, exists=False)
    found = json.loads(answer.value)
    return Role(
        name,
        superuser=found["superuser"],
        bypasses_rows=found["superuser"] or found["bypasses"],
        member_of=tuple(found["member_of"] or ()),
    )
