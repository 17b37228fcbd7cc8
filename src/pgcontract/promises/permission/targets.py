"""What a privilege can be on, but for relations: how to ask whether it is held, and how to make use of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from psycopg import sql

from pgcontract.contract import function_id
from pgcontract.model import Function, Name
from pgcontract.promises.permission.roles import Role, fresh_name
from pgcontract.rows.statements import Statement, identifier, quote
from pgcontract.rows.worlds import Worlds

POLYMORPHIC = {
    "anyelement": "integer",
    "anynonarray": "integer",
    "anycompatible": "integer",
    "anycompatiblenonarray": "integer",
    "anyarray": "integer[]",
    "anycompatiblearray": "integer[]",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """Statements that need a privilege. ``setup`` is done before the session becomes the role."""

    act: tuple[Statement, ...]
    setup: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """Who acts, where, and what else that role may do with the same object."""

    worlds: Worlds
    role: Role
    may: frozenset[str] = frozenset()

    def workshop(self) -> tuple[Statement, Name]:
        """What makes a schema in which the role may create, and a name in it."""
        schema = fresh_name("workshop")
        made = sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(
            sql.Identifier(schema), sql.Identifier(self.role.name)
        )
        return Statement(made.as_string()), Name(schema, "made")


class Target(Protocol):
    """An object on which privileges are granted."""

    @property
    def object(self) -> str:
        """Its id in a contract."""

    @property
    def namespace(self) -> str | None:
        """The schema that a role must have USAGE of to reach it."""

    @property
    def words(self) -> str:
        """What stands behind ON in a GRANT; ``{}`` in it stands for the current database."""

    def listed(self, privileges: str) -> str:
        """Privileges as a GRANT on this object lists them."""

    def privileges(self, worlds: Worlds) -> tuple[str, ...]:
        """All that can be granted on it, by this server."""

    def held(self, role: str, privilege: str) -> str:
        """An expression that is true where the role has the privilege; an error or NULL where there is no object."""

    def touched(self, role: str, privilege: str) -> str:
        """An expression that is true where the role has the privilege on any part of it."""

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """Statements that need this privilege and nothing else that the role may lack: the most telling first."""

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """Statements that only its owner may run."""


def one(text: str) -> Deed:
    """A deed of a single statement."""
    return Deed((Statement(text),))


class Plain:
    """What most kinds have in common."""

    def listed(self, privileges: str) -> str:
        """As they are."""
        return privileges

    def held(self, role: str, privilege: str) -> str:
        """Each kind has a function of its own to ask."""
        raise NotImplementedError

    def touched(self, role: str, privilege: str) -> str:
        """It has no parts."""
        return self.held(role, privilege)


def quoted(name: Name) -> str:
    """A qualified name as SQL."""
    return identifier(name).as_string()


@dataclass(frozen=True, slots=True)
class SequenceTarget(Plain):
    """A sequence. Its numbers are drawn after a RESTART, which is undone, as nextval alone is not."""

    name: Name

    @property
    def object(self) -> str:
        """``orders_id_seq``."""
        return str(self.name)

    @property
    def namespace(self) -> str | None:
        """Its schema."""
        return self.name.namespace

    @property
    def words(self) -> str:
        """``SEQUENCE s.q``."""
        return f"SEQUENCE {quoted(self.name)}"

    def privileges(self, worlds: Worlds) -> tuple[str, ...]:
        """Three."""
        del worlds
        return ("SELECT", "UPDATE", "USAGE")

    def held(self, role: str, privilege: str) -> str:
        """By has_sequence_privilege."""
        return f"has_sequence_privilege({quote(role)}::name, {quote(quoted(self.name))}::text, {quote(privilege)})"

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """UPDATE draws numbers, too: then USAGE shows in nothing else."""
        restart = (Statement(f"ALTER SEQUENCE {quoted(self.name)} RESTART"),)
        name = quote(quoted(self.name))
        match privilege:
            case "SELECT":
                yield one(f"SELECT last_value IS NOT NULL AS readable FROM {quoted(self.name)}")
            case "UPDATE":
                act = Statement(f"SELECT setval({name}::regclass, last_value) IS NOT NULL FROM {quoted(self.name)}")
                blind = Statement(
                    f"SELECT setval({name}::regclass, (SELECT seqstart FROM pg_sequence"
                    f" WHERE seqrelid = {name}::regclass)) IS NOT NULL AS set"
                )
                yield Deed((act if "SELECT" in scene.may else blind,), restart)
            case "USAGE" if privilege in scene.may or "UPDATE" not in scene.may:
                yield Deed((Statement(f"SELECT nextval({name}::regclass) IS NOT NULL AS drawn"),), restart)

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """ALTER, DROP."""
        del scene
        yield one(f"ALTER SEQUENCE {quoted(self.name)} RESTART")
        yield one(f"DROP SEQUENCE {quoted(self.name)}")


@dataclass(frozen=True, slots=True)
class RoutineTarget(Plain):
    """A function, procedure or aggregate.

    It is never run: the executor asks for EXECUTE before the first row, and is given none. What a body does outside of
    the database would not be undone.
    """

    name: Name
    arguments: str
    kind: str
    to_be_made: bool = False
    """By the proof, without arguments: the server cannot be asked about it before."""

    @classmethod
    def of(cls, function: Function) -> RoutineTarget:
        """The target of a function of the model."""
        return cls(function.name, function.arguments, function.kind)

    @property
    def object(self) -> str:
        """``f(a integer)``."""
        return function_id(self.name, self.arguments)

    @property
    def namespace(self) -> str | None:
        """Its schema."""
        return self.name.namespace

    @property
    def words(self) -> str:
        """``ROUTINE s.f(a integer)``."""
        return f"ROUTINE {self._signature}"

    @property
    def _signature(self) -> str:
        return f"{quoted(self.name)}({self.arguments})"

    @property
    def _oid(self) -> str:
        return (
            "(SELECT p.oid FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace"
            f" WHERE n.nspname = {quote(self.name.namespace)} AND p.proname = {quote(self.name.name)}"
            f" AND pg_get_function_identity_arguments(p.oid) = {quote(self.arguments)})"
        )

    def privileges(self, worlds: Worlds) -> tuple[str, ...]:
        """One."""
        del worlds
        return ("EXECUTE",)

    def held(self, role: str, privilege: str) -> str:
        """By has_function_privilege."""
        return f"has_function_privilege({quote(role)}::name, {self._oid}, {quote(privilege)})"

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """A call for each of no rows. Its arguments are no constants: a strict function of NULL is folded unasked."""
        del privilege
        if self.kind != "FUNCTION":
            return
        found = (False, ()) if self.to_be_made else self._takes(scene.worlds)
        if found is None:
            return
        variadic, types = found
        given = [f"NULL::{POLYMORPHIC.get(t, t)} AS a{n}" for n, t in enumerate(types)]
        words = [f"given.a{n}" for n in range(len(given))]
        if variadic and words:
            words[-1] = f"VARIADIC {words[-1]}"
        rows = f"WITH given AS MATERIALIZED (SELECT {', '.join(given) or 'true AS nothing'})"
        yield Deed((Statement(f"{rows} SELECT {quoted(self.name)}({', '.join(words)}) FROM given WHERE false"),))

    def _takes(self, worlds: Worlds) -> tuple[bool, tuple[str, ...]] | None:
        """Whether it is variadic, and the types of its arguments; None where it is gone."""
        described = (
            f"(SELECT json_build_array(p.provariadic <> 0, (SELECT json_agg(format_type(a.type, NULL) ORDER BY a.place)"
            f" FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place))) FROM pg_proc AS p"
            f" WHERE p.oid = {self._oid})"
        )
        (answer,) = worlds.oracle.evaluate([(described, "text")])
        if answer.value is None:
            return None
        variadic, types = json.loads(answer.value)
        return variadic, tuple(types or ())

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """ALTER, DROP."""
        del scene
        if self.kind in ("FUNCTION", "PROCEDURE"):
            yield one(f"ALTER ROUTINE {self._signature} RESET ALL")
            yield one(f"DROP ROUTINE {self._signature}")


@dataclass(frozen=True, slots=True)
class NamespaceTarget(Plain):
    """A schema."""

    name: str

    @property
    def object(self) -> str:
        """``audit``."""
        return self.name

    @property
    def namespace(self) -> str | None:
        """None: it is reached by its own USAGE."""
        return None

    @property
    def words(self) -> str:
        """``SCHEMA s``."""
        return f"SCHEMA {self._quoted}"

    @property
    def _quoted(self) -> str:
        return sql.Identifier(self.name).as_string()

    def privileges(self, worlds: Worlds) -> tuple[str, ...]:
        """Two."""
        del worlds
        return ("CREATE", "USAGE")

    def held(self, role: str, privilege: str) -> str:
        """By has_schema_privilege."""
        return f"has_schema_privilege({quote(role)}::name, {quote(self.name)}::text, {quote(privilege)})"

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """A name is looked up in it, be it there or not; a table is made in it."""
        del scene
        name = quoted(Name(self.name, fresh_name("nothing")))
        if privilege == "USAGE":
            yield one(f"SELECT to_regclass({quote(name)}) IS NULL AS looked_up")
        else:
            yield one(f"CREATE TABLE {name} ()")

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """ALTER, DROP."""
        del scene
        yield one(f"ALTER SCHEMA {self._quoted} RENAME TO {fresh_name('renamed')}")
        yield one(f"DROP SCHEMA {self._quoted}")


@dataclass(frozen=True, slots=True)
class TypeTarget(Plain):
    """An enum, a domain, a composite type or a range."""

    name: Name

    @property
    def object(self) -> str:
        """``mood``."""
        return str(self.name)

    @property
    def namespace(self) -> str | None:
        """Its schema."""
        return self.name.namespace

    @property
    def words(self) -> str:
        """``TYPE s.mood``."""
        return f"TYPE {quoted(self.name)}"

    def privileges(self, worlds: Worlds) -> tuple[str, ...]:
        """One."""
        del worlds
        return ("USAGE",)

    def held(self, role: str, privilege: str) -> str:
        """By has_type_privilege."""
        return f"has_type_privilege({quote(role)}::name, {quote(quoted(self.name))}::text, {quote(privilege)})"

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """A table with a column of the type: a cast asks for nothing."""
        del privilege
        schema, table = scene.workshop()
        yield Deed((Statement(f"CREATE TABLE {quoted(table)} (c {quoted(self.name)})"),), (schema,))

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """DROP."""
        del scene
        yield one(f"DROP TYPE {quoted(self.name)}")


@dataclass(frozen=True, slots=True)
class DatabaseTarget(Plain):
    """The database: whichever the contract is proven on."""

    object: str

    @property
    def namespace(self) -> str | None:
        """None."""
        return None

    @property
    def words(self) -> str:
        """The name is not known before it is asked for."""
        return "DATABASE {}"

    def privileges(self, worlds: Worlds) -> tuple[str, ...]:
        """Three."""
        del worlds
        return ("CONNECT", "CREATE", "TEMPORARY")

    def held(self, role: str, privilege: str) -> str:
        """By has_database_privilege."""
        return f"has_database_privilege({quote(role)}::name, current_database()::text, {quote(privilege)})"

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """Nothing shows CONNECT within one session."""
        del scene
        if privilege == "CREATE":
            yield one(f"CREATE SCHEMA {fresh_name('made')}")
        if privilege == "TEMPORARY":
            yield one(f"CREATE TEMPORARY TABLE {fresh_name('made')} ()")

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """None that can be tried in a transaction without its name."""
        del scene
        yield from ()


def granting(target: Target, privileges: str, to: str, *, revoke: bool = False) -> Statement:
    """GRANT (or REVOKE) on the target; ``to`` is quoted, or PUBLIC."""
    verb, preposition = ("REVOKE", "FROM") if revoke else ("GRANT", "TO")
    text = f"{verb} {target.listed(privileges)} ON {target.words} {preposition} {to}"
    if not isinstance(target, DatabaseTarget):
        return Statement(text)
    pattern = quote(text.replace("%", "%%").replace("{}", "%I"))
    return Statement(f"DO {quote(f'BEGIN EXECUTE format({pattern}, current_database()); END')}")
