"""Privileges: each that is granted is made use of by its grantee; every other on the same object is refused, 42501.

42501 names no object, so beside every statement stands what has_…_privilege says of just this object. What a proof does
not mean to show is lent to the role or taken from PUBLIC before, and given back with the transaction: USAGE of the
schema, and what anybody may do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from pgcontract.contract import grant_id
from pgcontract.contract.clauses import grant as grant_clause
from pgcontract.contract.clauses import one_line
from pgcontract.model import Catalog, Grant, Name, Reason
from pgcontract.promises.base import Cases, Change, Direction, Violation
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.permissions import privilege_mutants
from pgcontract.promises.permission.grants import Grants, Reach
from pgcontract.promises.permission.relations import ColumnTarget, TableTarget
from pgcontract.promises.permission.roles import PUBLIC, Role, fresh, role_of
from pgcontract.promises.permission.targets import Deed, NamespaceTarget, Scene, Target, granting
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement
from pgcontract.rows.worlds import Worlds

INSUFFICIENT_PRIVILEGE = "42501"
REFUSED = frozenset([INSUFFICIENT_PRIVILEGE])


@dataclass(frozen=True, slots=True)
class Privilege:
    """What one grantee may do with one object; or what PUBLIC has lost."""

    grant: Grant
    reach: Reach
    public: Reach
    """How far everybody reaches."""

    beyond: tuple[Reach, ...] = ()
    """Other objects of the schema, on which the grantee has nothing by name: they are refused here."""

    kind = "privilege"

    @property
    def id(self) -> str:
        """``grant app on messages``."""
        return grant_id(self.grant)

    @property
    def clause(self) -> str:
        """``GRANT SELECT ON messages TO app``."""
        return one_line(grant_clause(self.grant))

    @property
    def table(self) -> Name:
        """The table, where it is one's or a column's; else the object's own name."""
        match self.reach.target:
            case TableTarget(relation=relation) | ColumnTarget(of=TableTarget(relation=relation)):
                return relation.name
            case other:
                return Name(other.namespace or "", other.object)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What was revoked is refused, and nothing else."""
        return (Direction.REJECTS,) if self.grant.revoked else (Direction.ACCEPTS, Direction.REJECTS)

    def accepts(self, worlds: Worlds) -> Cases:
        """Each privilege exercised, and passed on where that was granted."""
        role, target = role_of(self.grant.grantee, worlds), self.reach.target
        shown = [held(target, role, privilege) for privilege in self._known(worlds)]
        if (reason := unshowable(role)) is not None:
            return Cases(missing=reason, reason=Reason.ROLE)
        if not present(target, role, worlds):
            return Cases(tuple(shown))
        prepared = [*role.creation, *lent(target, role)]
        if not role.made:
            prepared.append(granting(target, "ALL PRIVILEGES", PUBLIC, revoke=True))
        scene = Scene(worlds, role, self.reach.may)
        cases: list[Change] = []
        notes: list[str] = []
        for privilege, evidence in zip(self._known(worlds), shown, strict=True):
            change, note = exercised(target, privilege, scene, prepared)
            cases += [evidence] if change is None else [change, evidence]
            notes += [note] if note else []
        if self.grant.grantable:
            heir = fresh("heir")
            prepared += heir.creation
            cases.append(self._passes_on(role, heir))
        return Cases(tuple(cases), prepared=tuple(prepared), notes=tuple(notes))

    def rejects(self, worlds: Worlds) -> Cases:
        """Every other privilege on the object, what its owner alone may do, and objects that were never granted."""
        role, target = role_of(self.grant.grantee, worlds), self.reach.target
        if (reason := unshowable(role)) is not None:
            return Cases(missing=reason, reason=Reason.ROLE)
        if not present(target, role, worlds):
            return Cases(tuple(refused(target, role, p) for p in self.grant.privileges))
        lend = target if not self.beyond or target.namespace else self.beyond[0].target
        prepared = [*role.creation, *self._lent(lend, role)]
        reaches = [self.reach, *self.beyond]
        reached, notes = by_membership(reaches, role, worlds)
        cases: list[Change] = []
        for reach in reaches:
            scene = Scene(worlds, role, reach.may)
            for privilege in denied(reach, worlds):
                if reach.target.held(role.name, privilege) not in reached:
                    cases += refusals(reach, privilege, scene)
            if reach.target is target and not role.member_of:
                cases += [violation(deed, role) for deed in target.owners(scene)]
        if not role.made:
            stranger = fresh("stranger")
            prepared += [*stranger.creation, *lent(target, stranger)]
            cases += self._refused_to(stranger, worlds)
            known = target.privileges(worlds)
            cases += [everybody(target, p) for p in known if p not in self.public.may | self.reach.open]
        if not self.grant.revoked and not role.made and not role.member_of:
            heir = fresh("heir")
            prepared += heir.creation
            cases += self._keeps(role, heir, worlds)
        if not cases:
            said = "everybody may do all that there is to do with it" if role.made else "; ".join(notes)
            return Cases(missing=said, reason=Reason.ROLE)
        return Cases(tuple(cases), prepared=tuple(prepared), notes=notes)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """A privilege less or more, for the grantee, for everybody, or to be passed on."""
        del catalog
        return privilege_mutants(self.grant, self.reach, self.public.may, self.beyond)

    def of_roles(self, roles: Mapping[str, str]) -> Privilege:
        """The same of the grantee as a server knows it."""
        return replace(self, grant=replace(self.grant, grantee=roles.get(self.grant.grantee, self.grant.grantee)))

    def owns(self, refusal: Refusal) -> bool:
        """An error is no proof of a missing privilege: 42501 may be another object's."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live catalog has this grant."""
        mine = (self.grant.kind, self.grant.object, self.grant.grantee, self.grant.revoked)
        return any((g.kind, g.object, g.grantee, g.revoked) == mine for g in worlds.catalog.grants)

    def _known(self, worlds: Worlds) -> list[str]:
        """The promised privileges that this server knows."""
        known = self.reach.target.privileges(worlds)
        return [privilege for privilege in self.grant.privileges if privilege in known]

    def _lent(self, target: Target, role: Role) -> tuple[Statement, ...]:
        """USAGE of the schema, unless that is what is refused."""
        own = isinstance(self.reach.target, NamespaceTarget)
        return () if own and "USAGE" not in self.reach.may else lent(target, role)

    def _refused_to(self, stranger: Role, worlds: Worlds) -> Iterator[Change]:
        """What was granted to the grantee, and not to everybody, somebody else may not do."""
        scene = Scene(worlds, stranger, self.public.may)
        for privilege in self._known(worlds):
            if privilege not in self.public.may | self.public.by_column:
                yield from (violation(d, stranger) for d in list(self.reach.target.deeds(privilege, scene))[-1:])

    def _passes_on(self, role: Role, heir: Role) -> Change:
        target, listed = self.reach.target, self.grant.grantable
        given = granting(target, ", ".join(listed), sql.Identifier(heir.name).as_string())
        told = ", ".join(f"{target.held(heir.name, p)} AS {_label(p)}" for p in listed)
        return Change(
            (given, Statement(f"SELECT {told}")),
            (role.acts,),
            wanted=f"{role.name} passes on {', '.join(listed)}",
        )

    def _keeps(self, role: Role, heir: Role, worlds: Worlds) -> Iterator[Change]:
        """GRANT ALL passes on nothing but what was granted with the option: of the rest there is a warning at most."""
        target = self.reach.target
        rest = [p for p in target.privileges(worlds) if p not in {*self.grant.grantable, *self.reach.open}]
        if rest:
            given = granting(target, "ALL PRIVILEGES", sql.Identifier(heir.name).as_string())
            told = ", ".join(f"NOT {target.held(heir.name, p)} AS {_label(p)}" for p in rest)
            yield Change(
                (given, Statement(f"SELECT {told}")),
                # the heir has nothing as anybody
                (granting(target, "ALL PRIVILEGES", PUBLIC, revoke=True), role.acts),
                wanted=f"{role.name} cannot pass on {', '.join(rest)}",
            )


def unshowable(role: Role) -> str | None:
    """Why nothing can be shown with this role, or None."""
    return f"{role.name} is a superuser, to whom nothing is refused" if role.superuser else None


def present(target: Target, role: Role, worlds: Worlds) -> bool:
    """Whether both the object and the role are there."""
    question = target.held(role.asked, target.privileges(worlds)[0])
    (answer,) = worlds.oracle.evaluate([(question, "boolean")])
    return role.exists and answer.value is not None


def lent(target: Target, role: Role) -> tuple[Statement, ...]:
    """USAGE of the target's schema: that is another grant's promise."""
    if target.namespace is None:
        return ()
    return (granting(NamespaceTarget(target.namespace), "USAGE", sql.Identifier(role.name).as_string()),)


def held(target: Target, role: Role, privilege: str) -> Change:
    """What the server says of a privilege that was granted."""
    question = Statement(f"SELECT {target.held(role.asked, privilege)} AS {_label(privilege)}")
    return Change((question,), wanted=f"{role.asked} has {privilege} on {target.object}")


def refused(target: Target, role: Role, privilege: str, *, anywhere: bool = False) -> Change:
    """What the server says of a privilege that was not granted; ``anywhere``: nor on a column."""
    asked = target.touched if anywhere else target.held
    question = Statement(f"SELECT NOT {asked(role.asked, privilege)} AS {_label(privilege)}")
    return Change((question,), wanted=f"{role.asked} has no {privilege} on {target.object}")


def everybody(target: Target, privilege: str) -> Change:
    """What the server says of PUBLIC."""
    return refused(target, Role(PUBLIC, made=True), privilege)


def violation(deed: Deed, role: Role) -> Violation:
    """A deed that the role may not do."""
    return Violation(deed.act, (*deed.setup, role.acts), sqlstates=REFUSED)


def denied(reach: Reach, worlds: Worlds) -> list[str]:
    """The privileges on a target that somebody must not have."""
    return [p for p in reach.target.privileges(worlds) if p not in reach.may and p not in reach.open]


def refusals(reach: Reach, privilege: str, scene: Scene) -> Iterator[Change]:
    """A privilege that is not held: the statement with the fewest needs of its own, and the server's word.

    Where some columns were granted, statements may get on without the privilege on the table.
    """
    if privilege in reach.by_column:
        yield refused(reach.target, scene.role, privilege)
        return
    for deed in list(reach.target.deeds(privilege, scene))[-1:]:
        yield violation(deed, scene.role)
    yield refused(reach.target, scene.role, privilege, anywhere=True)


def exercised(
    target: Target, privilege: str, scene: Scene, prepared: Sequence[Statement]
) -> tuple[Change | None, str | None]:
    """The most telling deed that nothing but the privilege decides; or None, with the reason."""
    role, oracle = scene.role, scene.worlds.oracle
    (answer,) = oracle.evaluate([(target.held(role.asked, privilege), "boolean")])
    guard = Statement(f"SELECT ({target.held(role.name, privilege)}) IS NOT TRUE AS missing")
    reason: str | None = None
    for deed in target.deeds(privilege, scene):
        change = Change(
            deed.act,
            (*deed.setup, role.acts),
            guard=lambda: guard,
            # a policy or a trigger may leave out rows: how many are changed is not this promise's business
            shows=lambda _rows: True,
            wanted=f"{role.name} may {privilege} on {target.object}",
        )
        refusal = oracle.refusal([*prepared, *change.statements])
        if refusal is None or (refusal.sqlstate == INSUFFICIENT_PRIVILEGE and answer.value != "true"):
            return change, reason and f"{privilege} is shown without a row: {reason}"
        reason = reason or str(refusal)
    return None, reason and f"{privilege} is shown by what the server says of it alone: {reason}"


def by_membership(reaches: Sequence[Reach], role: Role, worlds: Worlds) -> tuple[frozenset[str], tuple[str, ...]]:
    """What the role has because it is a member of others, which no contract of a schema says: as ``held`` asks it."""
    if not role.member_of:
        return frozenset(), ()
    asked = [(reach.target, privilege) for reach in reaches for privilege in denied(reach, worlds)]
    answers = worlds.oracle.evaluate(
        [(" OR ".join(target.held(other, p) for other in role.member_of), "boolean") for target, p in asked]
    )
    found = frozenset(t.held(role.name, p) for (t, p), a in zip(asked, answers, strict=True) if a.value == "true")
    note = f"{role.name} is a member of {', '.join(role.member_of)}: what it has by them alone is not judged"
    return found, (note,)


def _label(privilege: str) -> str:
    return sql.Identifier(privilege.lower()).as_string()


def promises(catalog: Catalog) -> Iterator[Privilege]:
    """One for every entry of an access list."""
    grants = Grants(catalog)
    for grant in catalog.grants:
        key = grant.kind, grant.object
        if key in grants.targets:
            beyond = (r for namespace in grants.covering[grant] for r in grants.beyond(grant.grantee, namespace))
            yield Privilege(grant, grants.reach(key, grant.grantee), grants.reach(key, PUBLIC), tuple(beyond))
