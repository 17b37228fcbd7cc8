"""Default privileges: an object that is made later gives the grantee what was promised, and nothing else.

A list of default privileges is some role's: it says what objects get that this role makes. The contract leaves it out,
since it is whoever runs the migrations; the live catalog names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from pgcontract.contract import default_privilege_id
from pgcontract.contract.clauses import default_privilege as default_clause
from pgcontract.contract.clauses import one_line
from pgcontract.model import FRESH, Catalog, Column, DefaultPrivilege, Key, Name, Reason, Table
from pgcontract.promises.base import Cases, Change, Direction
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.permissions import CODES, default_privilege_mutants
from pgcontract.promises.permission.grants import Reach
from pgcontract.promises.permission.relations import MAINTAIN, PRIVILEGES, Sample, TableTarget
from pgcontract.promises.permission.roles import PUBLIC, Role, fresh_name, role_of
from pgcontract.promises.permission.targets import (
    NamespaceTarget,
    RoutineTarget,
    Scene,
    SequenceTarget,
    Target,
    TypeTarget,
    granting,
    quoted,
)
from pgcontract.promises.privilege import (
    by_membership,
    denied,
    everybody,
    exercised,
    held,
    lent,
    refusals,
    refused,
    unshowable,
    violation,
)
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, quote
from pgcontract.rows.worlds import Worlds


@dataclass(frozen=True, slots=True)
class Later:
    """An object that is made for the proof, and the statements that make it."""

    target: Target
    creation: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Default:
    """What one grantee gets on later objects of a kind; or what PUBLIC no longer does."""

    default: DefaultPrivilege
    may: frozenset[str]
    """All that the grantee gets there, by other lists, and as anybody."""

    public: frozenset[str] = frozenset()
    """What everybody gets there, or may get: which roles took it from everybody, a contract leaves out."""

    kind = "default privilege"

    @property
    def id(self) -> str:
        """``grant app on later tables in audit``."""
        return default_privilege_id(self.default)

    @property
    def clause(self) -> str:
        """``ALTER DEFAULT PRIVILEGES … GRANT …``."""
        return one_line(default_clause(self.default))

    @property
    def table(self) -> Name:
        """No table: the schema's name."""
        return Name(self.default.namespace or "", "")

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What was revoked is refused, and nothing else."""
        return (Direction.REJECTS,) if self.default.revoked else (Direction.ACCEPTS, Direction.REJECTS)

    def accepts(self, worlds: Worlds) -> Cases:
        """An object is made, and each promised privilege on it is made use of."""
        role, made = self._made(worlds)
        if (reason := unshowable(role)) is not None:
            return Cases(missing=reason, reason=Reason.ROLE)
        prepared = _prepared(role, made)
        if len(made) > 1:
            return Cases((_any(made, role, self.default.privileges),), prepared=prepared)
        target, cases, notes = made[0].target, list[Change](), list[str]()
        known = target.privileges(worlds)
        scene = Scene(worlds, role, self.may)
        for privilege in (p for p in self.default.privileges if p in known):
            change, note = exercised(target, privilege, scene, prepared)
            shown = held(target, role, privilege)
            cases += [shown] if change is None else [change, shown]
            notes += [note] if note else []
        cases += [held(target, role, f"{p} WITH GRANT OPTION") for p in self.default.grantable]
        return Cases(tuple(cases), prepared=prepared, notes=tuple(notes))

    def rejects(self, worlds: Worlds) -> Cases:
        """An object is made, and every other privilege on it is refused."""
        role, made = self._made(worlds)
        if (reason := unshowable(role)) is not None:
            return Cases(missing=reason, reason=Reason.ROLE)
        cases: list[Change] = []
        reaches = [Reach(one.target, self.may, self._open) for one in made]
        reached, notes = by_membership(reaches, role, worlds)
        for reach in reaches:
            for privilege in denied(reach, worlds):
                if reach.target.held(role.name, privilege) not in reached:
                    cases += refusals(reach, privilege, Scene(worlds, role, self.may))
            if not role.made:
                rest = [p for p in self.default.privileges if p not in self.default.grantable]
                cases += [refused(reach.target, role, f"{p} WITH GRANT OPTION") for p in rest]
                closed = (p for p in self.default.privileges if p not in self.public)
                cases += [everybody(reach.target, p) for p in closed if p in reach.target.privileges(worlds)]
            if not role.member_of:
                cases += [violation(deed, role) for deed in reach.target.owners(Scene(worlds, role))]
        return Cases(tuple(cases), prepared=_prepared(role, made), notes=notes)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """A privilege less or more on what is made later."""
        del catalog
        missing = [p for p in _every(self.default.kind) if p not in self.may | self._open]
        return default_privilege_mutants(self.default, missing, self.public)

    def of_roles(self, roles: Mapping[str, str]) -> Default:
        """The same of the grantee as a server knows it."""
        grantee = roles.get(self.default.grantee, self.default.grantee)
        return replace(self, default=replace(self.default, grantee=grantee))

    def owns(self, refusal: Refusal) -> bool:
        """An error is no proof of a missing privilege."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live catalog has such a list."""
        mine = (self.default.kind, self.default.namespace, self.default.grantee, self.default.revoked)
        return any((d.kind, d.namespace, d.grantee, d.revoked) == mine for d in worlds.catalog.default_privileges)

    @property
    def _open(self) -> frozenset[str]:
        """17 adds MAINTAIN to GRANT ALL."""
        return frozenset({MAINTAIN}) if self.may >= set(PRIVILEGES) else frozenset()

    def _made(self, worlds: Worlds) -> tuple[Role, Sequence[Later]]:
        """The grantee, and an object by each role that has such a list; by the session where none has."""
        role = role_of(self.default.grantee, worlds)
        return role, [_later(self.default, maker) for maker in _makers(self.default, worlds)]


def _prepared(role: Role, made: Sequence[Later]) -> tuple[Statement, ...]:
    created = (statement for one in made for statement in (*one.creation, *lent(one.target, role)))
    return (*role.creation, *created)


def _makers(default: DefaultPrivilege, worlds: Worlds) -> list[str]:
    """The roles with a list for such objects; none where the live catalog has lost it."""
    where = (
        "d.defaclnamespace = 0"
        if default.namespace is None
        else f"d.defaclnamespace = (SELECT oid FROM pg_namespace WHERE nspname = {quote(default.namespace)})"
    )
    question = (
        "(SELECT json_agg(pg_get_userbyid(d.defaclrole) ORDER BY d.defaclrole) FROM pg_default_acl AS d"
        f" WHERE d.defaclobjtype = {quote(CODES[default.kind])} AND {where})"
    )
    found, session = worlds.oracle.evaluate([(question, "text"), ("current_user", "text")])
    return json.loads(found.value) if found.value else [session.value or ""]


def _later(default: DefaultPrivilege, maker: str) -> Later:
    """An object of the kind, made by this role, in the list's schema or in one of its own."""
    role = Role(maker)
    acts, ends = role.acts, Statement("RESET ROLE")
    if default.kind == "SCHEMA":
        target: Target = NamespaceTarget(fresh_name("later"))
        return Later(target, (acts, Statement(f"CREATE {target.words}"), ends))
    schema = default.namespace or fresh_name("later")
    own = sql.Identifier(maker).as_string()
    before = (
        Statement(f"CREATE SCHEMA {sql.Identifier(schema).as_string()} AUTHORIZATION {own}")
        if default.namespace is None
        else granting(NamespaceTarget(schema), "CREATE, USAGE", own)
    )
    target, text = _object(default.kind, Name(schema, fresh_name("later")))
    return Later(target, (before, acts, Statement(text), ends))


def _object(kind: str, name: Name) -> tuple[Target, str]:
    match kind:
        case "TABLE":
            table = Table(name, (Column("id", "integer", not_null=True),), (Key("pk", ("id",), primary=True),))
            first, second = (Statement(f"INSERT INTO {quoted(name)} (id) VALUES ({n})") for n in (1, 2))
            sample = Sample((first,), second, frozenset(["id"]), {"id": "1"}, {"id": "1"}, {"id": "integer"})
            return TableTarget(table, sample), f"CREATE TABLE {quoted(name)} (id integer CONSTRAINT pk PRIMARY KEY)"
        case "SEQUENCE":
            return SequenceTarget(name), f"CREATE SEQUENCE {quoted(name)}"
        case "FUNCTION":
            text = f"CREATE FUNCTION {quoted(name)}() RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT 1'"
            return RoutineTarget(name, "", "FUNCTION", to_be_made=True), text
        case _:
            return TypeTarget(name), f"CREATE TYPE {quoted(name)} AS ENUM ('a')"


def _every(kind: str) -> tuple[str, ...]:
    """All that can be granted on an object of the kind."""
    return NamespaceTarget.every if kind == "SCHEMA" else _object(kind, Name("", ""))[0].every


def _any(made: Sequence[Later], role: Role, privileges: Sequence[str]) -> Change:
    """Lists of several roles are one promise: each privilege comes with what one of them makes."""
    told = (" OR ".join(one.target.held(role.asked, p) for one in made) for p in privileges)
    asked = ", ".join(
        f"({t}) AS {sql.Identifier(p.lower()).as_string()}" for t, p in zip(told, privileges, strict=True)
    )
    return Change((Statement(f"SELECT {asked}"),), wanted=f"{role.asked} gets {', '.join(privileges)}")


def promises(catalog: Catalog) -> Iterator[Default]:
    """One for every entry of a list."""
    for default in catalog.default_privileges:
        public = _may(replace(default, grantee=PUBLIC), catalog) | FRESH.get(default.kind, frozenset())
        yield Default(default, _may(default, catalog), public)


def _may(default: DefaultPrivilege, catalog: Catalog) -> frozenset[str]:
    """What the grantee gets on such an object: by the list for all schemas, and by the schema's own."""
    fresh = set(FRESH.get(default.kind, frozenset()))
    may: set[str] = set()
    for other in catalog.default_privileges:
        if other.kind != default.kind or other.namespace not in (None, default.namespace):
            continue
        if other.revoked:
            fresh -= set(other.privileges)
        elif other.grantee in (default.grantee, PUBLIC):
            may |= set(other.privileges)
    return frozenset(may | fresh)
