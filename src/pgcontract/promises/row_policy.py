"""Row security and its policies: USING hides rows without a word, WITH CHECK refuses them, 42501, role by role.

What a policy promises is told by a stand-in: a table like the one under test, with the same rows and with the frozen
policy. Whoever is asked sees the same rows of both, and may write the same ones. Every other policy is dropped before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from psycopg import sql

from pgcontract.contract import policy_id, row_security_id
from pgcontract.contract.clauses import one_line
from pgcontract.contract.clauses import policy as policy_clause
from pgcontract.contract.clauses import row_security as security_clause
from pgcontract.model import Catalog, Function, Name, Policy, Reason, Table
from pgcontract.promises.base import REPLICA, Cases, Change, Direction, Violation
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.permissions import policy_mutants, row_security_mutants
from pgcontract.promises.permission.roles import PUBLIC, Role, fresh, fresh_name, role_of
from pgcontract.promises.permission.targets import NamespaceTarget, granting, quoted
from pgcontract.promises.reaching import fixed_columns, fresh_key, unless_there
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.shape import clause
from pgcontract.rows.statements import Row, Statement, Value, insert, quote, update
from pgcontract.rows.world import World
from pgcontract.rows.worlds import Worlds

INSUFFICIENT_PRIVILEGE = "42501"
REFUSED = frozenset([INSUFFICIENT_PRIVILEGE])
MOST_ROWS = 24
MOST_OF_A_SIDE = 6
MOST_SETTINGS = 8
RESET = Statement("RESET ROLE")
_SETTING = re.compile(r"current_setting\('((?:[^']|'')+)'::text")
_WRITES = {"ALL", "INSERT", "UPDATE"}


@dataclass(frozen=True, slots=True)
class Security:
    """Row security of a table: on, and whether its owner is subject to it, too."""

    of: Table

    kind = "row policy"

    @property
    def id(self) -> str:
        """``messages.row_security``."""
        return row_security_id(self.of.name)

    @property
    def clause(self) -> str:
        """``FORCE ROW LEVEL SECURITY``."""
        return security_clause(self.of)

    @property
    def table(self) -> Name:
        """The table."""
        return self.of.name

    @property
    def directions(self) -> tuple[Direction, ...]:
        """FORCE alone refuses nothing."""
        return (Direction.ACCEPTS, Direction.REJECTS) if self.of.row_security else (Direction.ACCEPTS,)

    def accepts(self, worlds: Worlds) -> Cases:
        """Without a policy a reader sees nothing, and the owner everything, unless it is forced."""
        reader, prepared = self._prepared(worlds)
        owner = Statement(f"ALTER TABLE {quoted(self.of.name)} OWNER TO {_quoted(reader.name)}")
        hidden = self.of.row_security
        cases = (
            self._sees(not hidden, (reader.acts,), "a reader"),
            self._sees(not (hidden and self.of.force_row_security), (owner, reader.acts), "the owner"),
        )
        return Cases(cases, prepared=prepared)

    def rejects(self, worlds: Worlds) -> Cases:
        """Without a policy nobody inserts a row."""
        writer, prepared = self._prepared(worlds)
        world = worlds.world(self.of.name)
        violation = Violation((world.insert(world.twin),), (writer.acts,), sqlstates=REFUSED)
        return Cases((violation,), prepared=prepared)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """Off, or on; for the owner, too, or not."""
        del catalog
        return row_security_mutants(self.of)

    def owns(self, refusal: Refusal) -> bool:
        """42501 may be anything's."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has the same."""
        live = worlds.catalog.table(self.of.name)
        mine = (self.of.row_security, self.of.force_row_security)
        return live is not None and (live.row_security, live.force_row_security) == mine

    def _prepared(self, worlds: Worlds) -> tuple[Role, tuple[Statement, ...]]:
        world, role = worlds.world(self.of.name), fresh("anybody")
        name = self.of.name
        return role, (*world.setup, world.insert(world.base), *_dropped(world.table), *_let_in([role], name))

    def _sees(self, something: bool, setup: tuple[Statement, ...], who: str) -> Change:
        word = "EXISTS" if something else "NOT EXISTS"
        asked = Statement(f"SELECT {word} (SELECT FROM {quoted(self.of.name)}) AS as_promised")
        return Change((asked,), setup, wanted=f"{who} sees {'its rows' if something else 'no row'} without a policy")


@dataclass(frozen=True, slots=True)
class PolicyOf:
    """One policy of a table."""

    table: Name
    policy: Policy

    kind = "row policy"

    @property
    def id(self) -> str:
        """``messages.own_messages``."""
        return policy_id(self.table, self.policy.name)

    @property
    def clause(self) -> str:
        """``POLICY FOR SELECT TO app USING (…)``."""
        return one_line(policy_clause(self.policy))

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Only what is written can be refused: by its condition, or since it lets in nothing of the kind."""
        check = self.policy.check or self.policy.using
        refuses = self.policy.command in _WRITES and check not in (None, "true")
        refuses |= self.policy.permissive and self.policy.command not in ("ALL", "INSERT")
        return (Direction.ACCEPTS, Direction.REJECTS) if refuses else (Direction.ACCEPTS,)

    def accepts(self, worlds: Worlds) -> Cases:
        """Each role sees, changes and removes the same rows as of the stand-in, and inserts those that it may."""
        scene = _Scene.of(self, worlds)
        if isinstance(scene, Cases):
            return scene
        cases = [*scene.reads(), *scene.removes(), *(c for c in scene.writes() if not isinstance(c, Violation))]
        return Cases(tuple(cases), prepared=scene.prepared, missing=scene.missing)

    def rejects(self, worlds: Worlds) -> Cases:
        """Rows that the stand-in refuses."""
        scene = _Scene.of(self, worlds)
        if isinstance(scene, Cases):
            return scene
        found = tuple(c for c in scene.writes() if isinstance(c, Violation))
        return Cases(found, prepared=scene.prepared, missing=None if found else "no row was found that it refuses")

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """No policy, or one for other commands, roles or rows."""
        del catalog
        return policy_mutants(self.table, self.policy)

    def of_roles(self, roles: Mapping[str, str]) -> PolicyOf:
        """The same of the roles as a server knows them."""
        return replace(self, policy=replace(self.policy, roles=tuple(roles.get(r, r) for r in self.policy.roles)))

    def owns(self, refusal: Refusal) -> bool:
        """42501 may be anything's."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live table has a policy of this name."""
        live = worlds.catalog.table(self.table)
        return live is not None and any(policy.name == self.policy.name for policy in live.policies)


@dataclass(frozen=True)
class _Scene:
    """Two tables with the same rows: the one under test, and the stand-in with the frozen policy."""

    policy: Policy
    world: World
    worlds: Worlds
    actors: tuple[Role, ...]
    other: Name
    stored: tuple[Row, ...]
    further: tuple[Row, ...]
    prepared: tuple[Statement, ...]
    missing: str | None = None

    @staticmethod
    def of(one: PolicyOf, worlds: Worlds) -> _Scene | Cases:
        """The scene; or cases that say why there is none."""
        if worlds.catalog.table(one.table) is None:
            return Cases((Change((Statement(f"SELECT FROM {quoted(one.table)}"),)),))
        world = worlds.world(one.table)
        roles = [role_of(role, worlds) for role in one.policy.roles]
        gone = [role for role in roles if not role.exists]
        if gone:
            return Cases((Change((Statement(f"SELECT {quote(_quoted(gone[0].name))}::regrole IS NOT NULL"),)),))
        subject = [role for role in roles if not role.bypasses_rows]
        if not subject:
            return Cases(missing="row security does not hold for any of its roles", reason=Reason.ROLE)
        strangers = [] if PUBLIC in one.policy.roles else [fresh("stranger")]
        actors = (*subject, *strangers)
        stored, further = _rows(one.policy, world, actors)
        other = Name(fresh_name("workshop"), one.table.name)
        prepared = (*_prepared(one.policy, world, actors, other), *_filled(world, stored, other))
        scene = _Scene(one.policy, world, worlds, actors, other, stored, further, prepared)
        return scene.with_settings()

    def with_settings(self) -> _Scene:
        """With values for the settings that the policy reads, so that it shows some rows and hides others."""
        expressions = f"{self.policy.using} {self.policy.check}"
        names = dict.fromkeys(name.replace("''", "'") for name in _SETTING.findall(expressions))
        if not names:
            return self._judged(self.prepared)
        columns = clause(self.policy.using or self.policy.check or "true", self.world.table).columns
        values = dict.fromkeys(v for row in self.stored[:2] for c, v in row.items() if c in columns and v is not None)
        tried = [
            (*(Statement("SELECT set_config($1, $2, true)", (name, value)) for name in names), *self.prepared)
            for value in islice(values, MOST_SETTINGS)
        ]
        found = [self._judged(prepared) for prepared in tried]
        return next((scene for scene in found if scene.missing is None), self._judged(self.prepared))

    def _judged(self, prepared: tuple[Statement, ...]) -> _Scene:
        made = _Scene(**{**self.__dict__, "prepared": prepared, "missing": None})
        role = self.actors[0]
        asked = Statement(f"SELECT count(*) FROM {quoted(self.other)}")
        reason = None
        if self.policy.command in ("ALL", "SELECT"):
            (seen,) = self.worlds.oracle.tried(prepared, [(role.acts, asked)])
            if isinstance(seen, Refusal):
                reason = f"the policy cannot be evaluated: {seen}"
            elif self.policy.using != "true":
                (every,) = self.worlds.oracle.tried(prepared, [(asked,)])
                shown, total = (0 if isinstance(rows, Refusal) else int(rows[0][0] or 0) for rows in (seen, every))
                reason = None if 0 < shown < total else f"of {total} rows it shows {shown}: none are told apart"
        elif not any(not isinstance(c, Violation) for c in made.allowed()):
            reason = "no row was found that it allows"
        return _Scene(**{**made.__dict__, "missing": reason})

    def reads(self) -> Iterator[Change]:
        """The same rows are seen of both, by everybody."""
        for role in self.actors:
            yield Change((self._same(list(self.world.shape.types)),), (role.acts,), wanted=f"{role.name} sees its rows")

    def allowed(self) -> Iterator[Change]:
        """What is done by the policy's own command."""
        if self.policy.command == "DELETE":
            yield from self.removes()
        else:
            yield from self._told_apart(self._inserts() if self.policy.command == "INSERT" else self._updates())

    def removes(self) -> Iterator[Change]:
        """The same rows can be deleted of both, whatever command the policy is for."""
        for role in self.actors:
            act = tuple(Statement(f"DELETE FROM {quoted(name)}") for name in (self.world.table.name, self.other))
            same = self._same(list(self.world.shape.types))
            yield Change((*act, RESET, same), (*self._quietly, role.acts), wanted=f"{role.name} deletes its rows")

    def writes(self) -> Iterator[Change]:
        """Rows inserted and changed: the stand-in says which are refused."""
        yield from self._told_apart([*self._inserts(), *self._updates()])

    def _told_apart(self, pairs: Iterable[tuple[tuple[Statement, Statement], list[str]]]) -> Iterator[Change]:
        found = list(pairs)
        tried = [(role, pair, columns) for role in self.actors for pair, columns in found]
        if not tried:
            return
        setups = [(role.acts, pair[1]) for role, pair, _ in tried]
        for (role, pair, columns), seen in zip(tried, self.worlds.oracle.tried(self.prepared, setups), strict=True):
            if not isinstance(seen, Refusal):
                act = (*pair, RESET, self._same(columns))
                yield Change(act, (*self._quietly, role.acts), wanted=f"{role.name} writes what it may")
            elif seen.sqlstate == INSUFFICIENT_PRIVILEGE:
                yield Violation((pair[0],), (*self._quietly, role.acts), sqlstates=REFUSED)

    @property
    def _quietly(self) -> tuple[Statement, ...]:
        """The stand-in has no triggers, which may write another row than the one that is given, or none."""
        return (REPLICA,) if self.world.table.triggers or self.world.table.rules else ()

    def _inserts(self) -> Iterator[tuple[tuple[Statement, Statement], list[str]]]:
        for row in self.further:
            given = {c: row[c] for c in self._given}
            statement = self.world.insert(row, show=list(given))
            yield (statement, insert(self.other, given)), []

    def _updates(self) -> Iterator[tuple[tuple[Statement, Statement], list[str]]]:
        shape, key = self.world.shape, self.world.table.primary_key
        if key is None:
            return
        for one in self.stored[:2]:
            for row in (*self.stored, *self.further):
                changes = {c: row[c] for c in self._given if row[c] != one[c] and c not in key.columns}
                if changes:
                    named = {c: one[c] for c in key.columns}
                    tables = (self.world.table.name, self.other)
                    first, second = (update(table, changes, named, shape.types) for table in tables)
                    yield (first, second), [*key.columns, *changes]

    @property
    def _given(self) -> list[str]:
        return [c.name for c in self.world.shape.columns if c.identity != "ALWAYS"]

    def _same(self, columns: Sequence[str]) -> Statement:
        """Whether the two tables hold the same; a trigger may change columns that nobody named."""
        shown = ", ".join(f"{_quoted(c)}::text" for c in columns) or "count(*)"
        first, second = (f"SELECT {shown} FROM {quoted(name)}" for name in (self.world.table.name, self.other))
        return Statement(
            f"SELECT NOT EXISTS (({first}) EXCEPT ALL ({second})) AND NOT EXISTS (({second}) EXCEPT ALL ({first}))"
            " AS same_rows"
        )


def _rows(policy: Policy, world: World, actors: Sequence[Role]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Rows on either side of the policy's conditions, half of them to be stored."""
    shape = world.shape
    fixed = fixed_columns(shape)
    made: list[dict[str, Value]] = [dict(world.base), dict(world.twin)]
    conditions = [clause(text, world.table, want=True) for text in (policy.using, policy.check) if text]
    for condition in conditions:
        for want in (True, "fails"):
            made += islice(shape.candidates(world.base, [condition.wanting(want)], fixed), MOST_OF_A_SIDE)
        texts = [c for c in condition.columns - fixed if shape.types[c] in ("text", "name", "character varying")]
        made += ({**world.base, c: role.name} for c in sorted(texts) for role in actors)
    made += world.varied[: MOST_ROWS - min(len(made), MOST_ROWS)]
    # once to be stored, once to be inserted
    numbered = [row if n < 2 else fresh_key(world, row, n) for n, row in enumerate([*made, *made])]
    good = shape.holds(list(shape.clauses.values()), numbered)
    marked = list(zip(numbered, good, strict=True))
    stored = tuple(row for row, holds in marked[: len(made)] if holds)
    return stored, tuple(row for row, holds in marked[len(made) :] if holds)


def _prepared(policy: Policy, world: World, actors: Sequence[Role], other: Name) -> Iterator[Statement]:
    name = world.table.name
    yield from world.setup
    yield from _let_in(actors, name)
    yield from _lent(actors, policy, world.catalog)
    yield from (s for s in _dropped(world.table, but=policy.name))
    yield Statement(f"ALTER TABLE {quoted(name)} ENABLE ROW LEVEL SECURITY")
    yield Statement(f"CREATE SCHEMA {_quoted(other.namespace)}")
    yield Statement(f"CREATE TABLE {quoted(other)} (LIKE {quoted(name)} INCLUDING DEFAULTS INCLUDING GENERATED)")
    yield Statement(f"ALTER TABLE {quoted(other)} ENABLE ROW LEVEL SECURITY")
    yield from (s for role in actors for s in _granted(role, other))
    yield Statement(_creation(policy, other, actors))
    for table in (name, other):
        if not policy.permissive:
            yield Statement(f"CREATE POLICY pgcontract_all ON {quoted(table)} USING (true) WITH CHECK (true)")
        elif policy.command in ("UPDATE", "DELETE"):
            yield Statement(f"CREATE POLICY pgcontract_read ON {quoted(table)} FOR SELECT USING (true)")


def _filled(world: World, rows: Sequence[Row], other: Name) -> Iterator[Statement]:
    """The rows of the table under test, and the same in the stand-in, whatever triggers made of them."""
    for row in rows:
        yield world.insert(row, returning=unless_there(world.table))
    given = ", ".join(_quoted(c.name) for c in world.shape.columns)
    yield Statement(f"INSERT INTO {quoted(other)} ({given}) SELECT {given} FROM {quoted(world.table.name)}")


def _creation(policy: Policy, table: Name, actors: Sequence[Role]) -> str:
    """The frozen policy, on another table. Roles come first among the actors, in the policy's order."""
    roles = [
        PUBLIC if PUBLIC in policy.roles else _quoted(role.name)
        for role in actors
        if PUBLIC in policy.roles or not role.made
    ]
    using = f" USING ({policy.using})" if policy.using is not None else ""
    check = f" WITH CHECK ({policy.check})" if policy.check is not None else ""
    kind = "PERMISSIVE" if policy.permissive else "RESTRICTIVE"
    return (
        f"CREATE POLICY {_quoted(policy.name)} ON {quoted(table)} AS {kind} FOR {policy.command}"
        f" TO {', '.join(dict.fromkeys(roles))}{using}{check}"
    )


def _dropped(table: Table, but: str | None = None) -> Iterator[Statement]:
    for policy in table.policies:
        if policy.name != but:
            yield Statement(f"DROP POLICY {_quoted(policy.name)} ON {quoted(table.name)}")


def _let_in(roles: Sequence[Role], table: Name) -> Iterator[Statement]:
    """All privileges on the table: row security comes on top of them."""
    for role in roles:
        yield from role.creation
        yield from _granted(role, table)


def _granted(role: Role, table: Name) -> Iterator[Statement]:
    own = _quoted(role.name)
    yield granting(NamespaceTarget(table.namespace), "USAGE", own)
    yield Statement(f"GRANT ALL ON {quoted(table)} TO {own}")


def _lent(roles: Sequence[Role], policy: Policy, catalog: Catalog) -> Iterator[Statement]:
    """The functions that the policy asks, and that those call: who may call them is another promise."""
    spoken = f"{policy.using} {policy.check}"
    called: dict[Function, None] = {}
    while found := [f for f in catalog.functions if f not in called and _speaks(spoken, f)]:
        called |= dict.fromkeys(found)
        spoken = " ".join(f.body for f in found)
    for role in roles:
        for namespace in sorted({f.name.namespace for f in called}):
            yield granting(NamespaceTarget(namespace), "USAGE", _quoted(role.name))
        for f in called:
            yield Statement(f"GRANT EXECUTE ON ROUTINE {quoted(f.name)}({f.arguments}) TO {_quoted(role.name)}")


def _speaks(text: str, function: Function) -> bool:
    return re.search(rf"(?<!\w){re.escape(function.name.name)}\b", text) is not None


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def promises(catalog: Catalog) -> Iterator[Security | PolicyOf]:
    """Row security, where it is on or forced, and every policy."""
    for table in catalog.tables:
        if table.row_security or table.force_row_security:
            yield Security(table)
        yield from (PolicyOf(table.name, policy) for policy in table.policies)
