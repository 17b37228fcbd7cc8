"""Functions: what the catalog says of one, and that the live one gives what the frozen definition gives.

The frozen definition is installed under another name, in the same transaction, and both are called with the same
arguments. What cannot be called so (it changes something, or hangs on more than its arguments) has its source compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from psycopg import sql

from pgcontract.contract import function_id, trigger_id
from pgcontract.model import Catalog, Function, Name, Table, View
from pgcontract.promises.arguments import Argument, Calls, arguments, calls, constants
from pgcontract.promises.base import Cases, Change, Direction
from pgcontract.promises.definitions import create_function
from pgcontract.promises.facts import QUALIFIED, Fact, asked, listed, yes
from pgcontract.promises.mutants import Mutant
from pgcontract.promises.mutants.triggers import function_mutants
from pgcontract.rows.oracle import Refusal
from pgcontract.rows.statements import Statement, Value, identifier, paste, quote
from pgcontract.rows.worlds import Worlds

COPY = "pgcontract frozen"
"""The schema in which the frozen definition is made to be compared: under its own name, which its body may use."""
UNSEEN = frozenset({"c", "internal"})
TRIGGERS = frozenset({"trigger", "event_trigger"})
_KINDS = {"FUNCTION": "f", "PROCEDURE": "p", "AGGREGATE": "a", "WINDOW": "w"}
_PROC = "pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
_LANGUAGE = "SELECT l.lanname FROM pg_catalog.pg_language AS l WHERE l.oid = p.prolang"
_VOLATILITY = "CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END"
_PARALLEL = "CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END"
_THIS = "n.nspname = $1 AND p.proname = $2 AND pg_catalog.pg_get_function_identity_arguments(p.oid) = $3"
_SCHEMA = Statement(f"CREATE SCHEMA {sql.Identifier(COPY).as_string()}")
# the copy is compared, not judged: whether a body can be run, its call shows
# a plan that is kept does not fail at what is calculated from arguments and then not needed; a new one may
_PLANNED = Statement("SET LOCAL plan_cache_mode = 'force_custom_plan'")
_UNCHECKED = Statement("SELECT pg_catalog.set_config('check_function_bodies', 'off', true)")


@dataclass(frozen=True, slots=True)
class Routine:
    """A function, procedure, aggregate or window function."""

    function: Function

    kind = "function"
    directions = (Direction.ACCEPTS,)

    @property
    def table(self) -> Name:
        """The function's own name."""
        return self.function.name

    @property
    def id(self) -> str:
        """``increment(integer)``."""
        return function_id(self.function.name, self.function.arguments)

    @property
    def clause(self) -> str:
        """``FUNCTION increment(n integer) RETURNS integer LANGUAGE sql IMMUTABLE``."""
        one = self.function
        returns = f" RETURNS {one.returns}" if one.returns is not None else ""
        strict = " STRICT" if one.strict else ""
        return f"{one.kind} {one.name}({one.signature}){returns} LANGUAGE {one.language} {one.volatility}{strict}"

    def accepts(self, worlds: Worlds) -> Cases:
        """All attributes; NULL in, NULL out; and for what hangs on its arguments alone, call by call the same."""
        one = self.function
        given = None if one.returns in TRIGGERS else arguments(one)
        found = None if given is None else self._calls(worlds, given)
        always = [self._facts()]
        if given and one.strict and one.kind == "FUNCTION" and found is not None:
            always += self._null_out(given, found)
        compared = found is not None and one.kind == "FUNCTION" and one.volatility != "VOLATILE"
        compared = compared and one.language not in UNSEEN and self._answers(worlds, given or (), found)
        if not compared:
            return Cases((*always, self._same_source()), notes=(self._why(),))
        assert found is not None
        assert given is not None
        arguments_ = given
        always += [self._call(arguments_, values) for values in found.always]
        notes: tuple[str, ...] = ()
        if one.volatility == "STABLE":
            # what it reads may be empty here: no call would tell
            always.append(self._same_source())
            notes = ("its source is compared, too: what it reads besides its arguments is not varied",)
        return Cases(tuple(always), found.drawn.map(lambda values: self._call(arguments_, values)), notes=notes)

    def _why(self) -> str:
        one = self.function
        if one.returns in TRIGGERS:
            return "compared by its source; what it does, its triggers' promises show"
        if one.language in UNSEEN:
            return "compared by the name of its library's function"
        if one.kind != "FUNCTION":
            return f"compared by its source: a {one.kind.lower()} is not called"
        if one.volatility == "VOLATILE":
            return "compared by its source: it is VOLATILE, two calls need not give the same"
        return "compared by its source: no call of it succeeded"

    def _calls(self, worlds: Worlds, given: tuple[Argument, ...]) -> Calls | None:
        live = (f.body for f in worlds.catalog.functions if f.name == self.function.name)
        named = constants(self.function.body, *live)
        return calls(given, worlds.catalog, named, nulls=not self.function.strict)

    def _answers(self, worlds: Worlds, given: tuple[Argument, ...], found: Calls | None) -> bool:
        """Whether some call succeeds: of what fails alike nothing can be learned."""
        for values in (found.always if found is not None else ())[:20]:
            text = f"SELECT count(r::text)::text FROM {self._called(self.function.name, given, values)} AS r"
            called = paste(Statement(text, values))
            # a count is never NULL: that would be an error
            (evaluated,) = worlds.oracle.evaluate([(f"SELECT ({called})", "text")])
            if evaluated.value is not None:
                return True
        return False

    @staticmethod
    def _called(name: Name, given: tuple[Argument, ...], values: tuple[Value, ...]) -> str:
        shown = [
            f"{'VARIADIC ' if one.variadic else ''}${n}::{one.type}"
            for n, (one, _) in enumerate(zip(given, values, strict=True), 1)
        ]
        return f"{identifier(name).as_string()}({', '.join(shown)})"

    @property
    def _copy(self) -> Name:
        return Name(COPY, self.function.name.name)

    def _call(self, given: tuple[Argument, ...], values: tuple[Value, ...]) -> Change:
        def call(name: Name) -> Statement:
            return Statement(f"SELECT r::text AS result FROM {self._called(name, given, values)} AS r", values)

        created = create_function(replace(self.function, name=self._copy, signature=self.function.signature))
        if self._standard:
            text = created.text.removesuffix(f"AS {quote(self.function.body)}") + self.function.body
            created = Statement(text)
        return Change(
            (call(self.function.name),),
            (_PLANNED,),
            wanted="what the frozen definition gives",
            shows=lambda _: True,
            reference=(call(self._copy),),
            instead=(_UNCHECKED, _SCHEMA, created),
        )

    def _null_out(self, given: tuple[Argument, ...], found: Calls) -> Iterator[Change]:
        """A strict function is not even called when an argument is NULL."""
        simplest = found.always[0]
        several = (self.function.returns or "").startswith(("SETOF ", "TABLE("))
        for number in range(len(given)):
            values = (*simplest[:number], None, *simplest[number + 1 :])
            called = self._called(self.function.name, given, values)
            shown = f"count(*) = 0 AS nothing_out FROM {called}" if several else f"{called} IS NULL AS null_out"
            yield Change((Statement(f"SELECT {shown}", values),))

    @property
    def _standard(self) -> bool:
        """Whether the body is SQL's own form (BEGIN ATOMIC, RETURN), which is kept parsed."""
        return self.function.language == "sql" and self.function.body.startswith(("BEGIN ATOMIC", "RETURN"))

    def _key(self) -> tuple[Value, ...]:
        return self.function.name.namespace, self.function.name.name, self.function.arguments

    def _facts(self) -> Change:
        one = self.function
        settings = sql.Literal(listed(one.settings)).as_string()
        facts: dict[str, Fact] = {
            "kind": ("p.prokind", _KINDS[one.kind]),
            "arguments": ("pg_catalog.pg_get_function_arguments(p.oid)", one.signature),
            "returns": ("pg_catalog.pg_get_function_result(p.oid)", one.returns),
            "language": (_LANGUAGE, one.language),
            "volatility": (_VOLATILITY, one.volatility),
            "parallel": (_PARALLEL, one.parallel),
            "security_definer": ("p.prosecdef", yes(one.security_definer)),
            "strict": ("p.proisstrict", yes(one.strict)),
            "leakproof": ("p.proleakproof", yes(one.leakproof)),
            "settings": (f"coalesce(p.proconfig, '{{}}') = {settings}::text[]", yes(True)),
        }
        return asked(_PROC, _THIS, self._key(), facts)

    def _same_source(self) -> Change:
        """The source as text; where the server keeps it parsed, as this server prints the frozen one."""
        one = self.function
        if one.kind == "AGGREGATE":
            shown = "(to_jsonb(a) - 'aggfnoid')::text FROM pg_catalog.pg_aggregate AS a"
            text = f"SELECT {shown} JOIN {_PROC} ON p.oid = a.aggfnoid WHERE {_THIS}"
            name = identifier(self._copy).as_string()
            created = f"CREATE AGGREGATE {name}({one.signature}) (\n{one.body}\n)"
        elif self._standard:
            text = f"SELECT pg_catalog.pg_get_function_sqlbody(p.oid) FROM {_PROC} WHERE {_THIS}"
            words = "PROCEDURE" if one.kind == "PROCEDURE" else "FUNCTION"
            returns = "" if one.returns is None else f" RETURNS {one.returns}"
            name = identifier(self._copy).as_string()
            created = f"CREATE {words} {name}({one.signature}){returns} LANGUAGE sql {one.body}"
        else:
            source = "CASE WHEN p.probin IS NULL THEN p.prosrc ELSE p.probin || ', ' || p.prosrc END"
            return asked(_PROC, _THIS, self._key(), {"source": (source, one.body)})
        _, name_, identity = self._key()
        return Change(
            (Statement(text, self._key()),),
            (QUALIFIED,),
            wanted="what the frozen definition gives",
            shows=lambda rows: len(rows) == 1,
            reference=(Statement(text, (COPY, name_, identity)),),
            instead=(_UNCHECKED, _SCHEMA, Statement(created)),
        )

    def rejects(self, worlds: Worlds) -> Cases:
        """Nothing is forbidden."""
        raise AssertionError(self, worlds)

    def mutants(self, catalog: Catalog) -> Iterator[Mutant]:
        """The body of a trigger's function with a statement less, another operator, constant, or row."""
        name = self.function.name
        relations: tuple[Table | View, ...] = (*catalog.tables, *catalog.views)
        called = (trigger_id(t.name, one.name) for t in relations for one in t.triggers if one.function == name)
        shown_by = tuple(called)
        return function_mutants(self.function, shown_by) if shown_by else iter(())

    def owns(self, refusal: Refusal) -> bool:
        """Its own errors are compared, not owned."""
        del refusal
        return False

    def present(self, worlds: Worlds) -> bool:
        """Whether the live database has a function of this name and these arguments."""
        mine = (self.function.name, self.function.arguments)
        return any((f.name, f.arguments) == mine for f in worlds.catalog.functions)


def promises(catalog: Catalog) -> Iterator[Routine]:
    """Every function that is no extension's."""
    return map(Routine, catalog.functions)
