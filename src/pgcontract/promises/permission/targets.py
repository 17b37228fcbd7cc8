"""What a privilege can be on, but for relations: how to ask whether it is held, and how to make use of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

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

    @property
    def every(self) -> tuple[str, ...]:
        """All that can be granted on it, by any server."""

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


class Plain(ABC):
    """What most kinds have in common: how an object is named, and how the server is asked about it."""

    word: ClassVar[str]
    """What stands before the object's name in a GRANT."""

    function: ClassVar[str]
    """The function that says whether somebody has a privilege on such an object."""

    every: ClassVar[tuple[str, ...]]
    """All that can be granted on it, by any server."""

    @property
    @abstractmethod
    def sql(self) -> str:
        """The object as SQL names it."""

    @property
    def words(self) -> str:
        """``SEQUENCE s.q``."""
        return f"{self.word} {self.sql}"

    @property
    def asked(self) -> str:
        """The object as ``function`` is given it."""
        return f"{quote(self.sql)}::text"

    def listed(self, privileges: str) -> str:
        """As they are."""
        return privileges

    def privileges(self, worlds: Worlds) -> tuple[str, ...]:
        """The same by every server."""
        del worlds
        return self.every

    def held(self, role: str, privilege: str) -> str:
        """By the kind's own function."""
        return f"{self.function}({quote(role)}::name, {self.asked}, {quote(privilege)})"

    def touched(self, role: str, privilege: str) -> str:
        """It has no parts."""
        return self.held(role, privilege)


def quoted(name: Name) -> str:
    """A qualified name as SQL."""
    return identifier(name).as_string()


@dataclass(frozen=True, slots=True)
class Named(Plain):
    """An object that stands in a schema."""

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
    def sql(self) -> str:
        """``"s"."q"``."""
        return quoted(self.name)


@dataclass(frozen=True, slots=True)
class SequenceTarget(Named):
    """A sequence. Its numbers are drawn after a RESTART, which is undone, as nextval alone is not."""

    word = "SEQUENCE"
    function = "has_sequence_privilege"
    every = ("SELECT", "UPDATE", "USAGE")

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """UPDATE draws numbers, too, and SELECT reads the last one: with both, USAGE shows in nothing."""
        restart = (Statement(f"ALTER SEQUENCE {self.sql} RESTART"),)
        name = f"{quote(self.sql)}::regclass"
        drawn = Statement(f"SELECT nextval({name}) IS NOT NULL AS drawn")
        match privilege:
            case "SELECT":
                yield one(f"SELECT last_value IS NOT NULL AS readable FROM {self.sql}")
            case "UPDATE":
                start = f"(SELECT seqstart FROM pg_sequence WHERE seqrelid = {name})"
                act = f"SELECT setval({name}, last_value) IS NOT NULL FROM {self.sql}"
                blind = f"SELECT setval({name}, {start}) IS NOT NULL AS set"
                yield Deed((Statement(act if "SELECT" in scene.may else blind),), restart)
            case "USAGE" if "UPDATE" not in scene.may:
                yield Deed((drawn,), restart)
            case "USAGE" if "SELECT" not in scene.may:
                yield Deed((drawn, Statement(f"SELECT currval({name}) IS NOT NULL AS seen")), restart)
            case "USAGE" if privilege in scene.may:
                yield Deed((drawn,), restart)

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """ALTER, DROP."""
        del scene
        yield one(f"ALTER SEQUENCE {self.sql} RESTART")
        yield one(f"DROP SEQUENCE {self.sql}")


@dataclass(frozen=True, slots=True)
class RoutineTarget(Named):
    """A function, procedure or aggregate.

    It is never run: the executor asks for EXECUTE before the first row, and is given none. What a body does outside of
    the database would not be undone.
    """

    arguments: str
    kind: str
    to_be_made: bool = False
    """By the proof, without arguments: the server cannot be asked about it before."""

    word = "ROUTINE"
    function = "has_function_privilege"
    every = ("EXECUTE",)

    @classmethod
    def of(cls, function: Function) -> RoutineTarget:
        """The target of a function of the model."""
        return cls(function.name, function.arguments, function.kind)

    @property
    def object(self) -> str:
        """``f(a integer)``."""
        return function_id(self.name, self.arguments)

    @property
    def sql(self) -> str:
        """``"s"."f"(a integer)``."""
        return f"{quoted(self.name)}({self.arguments})"

    @property
    def asked(self) -> str:
        """Its number: no text says the same of a VARIADIC one."""
        return (
            "(SELECT p.oid FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace"
            f" WHERE n.nspname = {quote(self.name.namespace)} AND p.proname = {quote(self.name.name)}"
            f" AND {_bare('pg_get_function_identity_arguments(p.oid)')} = {_bare(quote(self.arguments))})"
        )

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
        yield one(f"{rows} SELECT {quoted(self.name)}({', '.join(words)}) FROM given WHERE false")

    def _takes(self, worlds: Worlds) -> tuple[bool, tuple[str, ...]] | None:
        """Whether it is variadic, and the types of its arguments; None where it is gone."""
        described = (
            f"(SELECT json_build_array(p.provariadic <> 0, (SELECT json_agg(format_type(a.type, NULL) ORDER BY a.place)"
            f" FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place))) FROM pg_proc AS p"
            f" WHERE p.oid = {self.asked})"
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
            yield one(f"ALTER ROUTINE {self.sql} RESET ALL")
            yield one(f"DROP ROUTINE {self.sql}")


@dataclass(frozen=True, slots=True)
class TypeTarget(Named):
    """An enum, a domain, a composite type or a range."""

    word = "TYPE"
    function = "has_type_privilege"
    every = ("USAGE",)

    def deeds(self, privilege: str, scene: Scene) -> Iterator[Deed]:
        """A table with a column of the type: a cast asks for nothing."""
        del privilege
        schema, table = scene.workshop()
        yield Deed((Statement(f"CREATE TABLE {quoted(table)} (c {self.sql})"),), (schema,))

    def owners(self, scene: Scene) -> Iterator[Deed]:
        """DROP."""
        del scene
        yield one(f"DROP TYPE {self.sql}")


@dataclass(frozen=True, slots=True)
class NamespaceTarget(Plain):
    """A schema. It stands in none: it is reached by its own USAGE."""

    name: str

    word = "SCHEMA"
    function = "has_schema_privilege"
    every = ("CREATE", "USAGE")
    namespace = None

    @property
    def object(self) -> str:
        """``audit``."""
        return self.name

    @property
    def sql(self) -> str:
        """``"audit"``."""
        return sql.Identifier(self.name).as_string()

    @property
    def asked(self) -> str:
        """Its bare name: the function takes no quotes off."""
        return f"{quote(self.name)}::text"

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
        yield one(f"ALTER SCHEMA {self.sql} RENAME TO {fresh_name('renamed')}")
        yield one(f"DROP SCHEMA {self.sql}")


@dataclass(frozen=True, slots=True)
class DatabaseTarget(Plain):
    """The database: whichever the contract is proven on. Its name is not known before it is asked for."""

    object: str

    word = "DATABASE"
    function = "has_database_privilege"
    every = ("CONNECT", "CREATE", "TEMPORARY")
    namespace = None
    sql = "{}"
    asked = "current_database()::text"

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


def granting(target: Target, privileges: str, to: str, *, revoke: bool = False, option: bool = False) -> Statement:
    """GRANT (or REVOKE) on the target, or its option to be passed on; ``to`` is quoted, or PUBLIC."""
    listed = target.listed(privileges)
    if revoke:
        text = f"REVOKE {'GRANT OPTION FOR ' if option else ''}{listed} ON {target.words} FROM {to}"
    else:
        text = f"GRANT {listed} ON {target.words} TO {to}{' WITH GRANT OPTION' if option else ''}"
    if not isinstance(target, DatabaseTarget):
        return Statement(text)
    pattern = quote(text.replace("%", "%%").replace("{}", "%I"))
    return Statement(f"DO {quote(f'BEGIN EXECUTE format({pattern}, current_database()); END')}")


def _bare(text: str) -> str:
    """An SQL expression's text without schemas' names: whether types have one hangs on the session's search path."""
    return f"regexp_replace({text}, '(\"([^\"]|\"\")+\"|\\w+)\\.', '', 'g')"
