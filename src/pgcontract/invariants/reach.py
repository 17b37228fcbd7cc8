"""What a run of histories reached: tables written, triggers fired, branches of their functions taken.

PL/pgSQL functions of triggers get counters for the time of one transaction: temporary sequences, which no rollback
turns back. A counter is asked in ``IF … THEN END IF``, which changes neither FOUND nor anything else that a function
could see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pgcontract.rows.statements import Statement, quote
from pgcontract.session import Session
from pgcontract.sql import SqlError, Token, scan

FUNCTIONS = """
SELECT DISTINCT p.oid::text, p.proname, pg_catalog.pg_get_functiondef(p.oid), p.prosrc
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND l.lanname = 'plpgsql'
ORDER BY p.proname ASC
"""
TRIGGERS = """
SELECT
  t.tgrelid::text || '_' || t.tgname,
  pg_catalog.regexp_replace(COALESCE(above.tgrelid, t.tgrelid)::pg_catalog.regclass::text, '^public\\.', '')
    || '.' || t.tgname
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
LEFT JOIN pg_catalog.pg_trigger AS above ON above.oid = t.tgparentid
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND l.lanname = 'plpgsql'
  AND (t.tgtype::integer & (4 | 8 | 16)) <> 0
ORDER BY 2 ASC
"""
COUNTED = """
SELECT relname, pg_catalog.pg_sequence_last_value(oid)
FROM pg_catalog.pg_class
WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind = 'S'
"""
_FIRED = (
    "IF pg_catalog.nextval(pg_catalog.to_regclass(pg_catalog.format("
    "'pg_temp.%I', 'fired_' || TG_RELID || '_' || TG_NAME))) IS NULL THEN END IF;"
)
_STATEMENTS_BEGIN_AFTER = {";", "BEGIN", "THEN", "ELSE", "LOOP", ">>", "DECLARE"}


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of a function: ``line`` counts within its body, from 1."""

    function: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.function}, line {self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Part:
    """How much of one kind of thing was reached."""

    reached: frozenset[str] = frozenset()
    all: tuple[str, ...] = ()

    @property
    def missed(self) -> tuple[str, ...]:
        """What was not, in the order of all."""
        return tuple(one for one in self.all if one not in self.reached)

    def __or__(self, other: Part) -> Part:
        return Part(self.reached | other.reached, self.all or other.all)


@dataclass(frozen=True, slots=True)
class Reach:
    """What histories reached. ``branches`` of two functions of one name count as one."""

    tables: Part = Part()
    triggers: Part = Part()
    branches: Part = Part()

    def __or__(self, other: Reach) -> Reach:
        return Reach(self.tables | other.tables, self.triggers | other.triggers, self.branches | other.branches)

    @property
    def missed(self) -> tuple[str, ...]:
        """Every table, trigger and branch that no history came to."""
        return (*self.tables.missed, *self.triggers.missed, *self.branches.missed)

    def __str__(self) -> str:
        parts = (
            ("table", "tables", self.tables),
            ("trigger", "triggers", self.triggers),
            ("branch", "branches", self.branches),
        )
        return ", ".join(
            f"{len(set(part.all) & part.reached)} of {len(part.all)} {one if len(part.all) == 1 else many}"
            for one, many, part in parts
            if part.all
        )


@dataclass
class Counters:
    """The counters of one session. ``setup`` puts them there, within the transaction that it is run in."""

    setup: tuple[Statement, ...] = ()
    _names: dict[str, tuple[str, str]] = field(default_factory=dict)
    _counted: set[str] = field(default_factory=set)

    @staticmethod
    def of(session: Session) -> Counters:
        """Counters for every trigger of the database that runs PL/pgSQL; none where that is refused."""
        session.leave()
        session.enter(())
        functions, triggers = session.answers([Statement(FUNCTIONS), Statement(TRIGGERS)])
        if functions is None or triggers is None or functions.refusal or triggers.refusal:
            return Counters()
        bodies = [tuple(f.decode() for f in row if f is not None) for row in functions.rows]
        parts = [part for one in bodies if (part := _counted(session, *one)) is not None]
        names = {name: label for part in parts for name, label in part[0].items()}
        if len(parts) == len(bodies):
            # a trigger whose function does not count would look like one that was never fired
            fired = (tuple(f.decode() for f in row if f is not None) for row in triggers.rows)
            names |= {f"fired_{key}": ("trigger", label) for key, label in fired}
        setup = [*_sequences(names), *(part[1] for part in parts)]
        return Counters(tuple(setup), names) if session.refusal(setup) is None else Counters()

    def read(self, session: Session) -> None:
        """Note what was counted since the transaction began; to be called before it ends."""
        if not self.setup:
            return
        # the last step may have been refused
        _, answer = session.answers([Statement("ROLLBACK TO SAVEPOINT example"), Statement(COUNTED)])
        if answer is not None:
            self._counted |= {row[0].decode() for row in answer.rows if row[0] is not None and row[1] is not None}

    def reach(self, written: Iterable[str], tables: Sequence[str]) -> Reach:
        """What was reached until now."""

        def part(kind: str) -> Part:
            mine = {name: label for name, (k, label) in self._names.items() if k == kind}
            reached = frozenset(label for name, label in mine.items() if name[:63] in self._counted)
            return Part(reached, tuple(dict.fromkeys(mine.values())))

        return Reach(Part(frozenset(written), tuple(tables)), part("trigger"), part("branch"))


def _sequences(names: Iterable[str]) -> list[Statement]:
    """The counters. A function may run as somebody else, who must be let count."""
    made = [Statement(f"CREATE TEMPORARY SEQUENCE {_quoted(name)}") for name in names]
    return [*made, *(Statement(f"GRANT USAGE ON SEQUENCE pg_temp.{_quoted(name)} TO PUBLIC") for name in names)]


def _counted(
    session: Session, oid: str, name: str, definition: str, body: str
) -> tuple[dict[str, tuple[str, str]], Statement] | None:
    """A function's counters with what they stand for, and its definition with them; None where that does not work."""
    try:
        counted, branches = instrumented(name, body, f"branch_{oid}_")
    except SqlError:
        return None
    before, found, after = definition.rpartition(body)
    names = {f"branch_{oid}_{n}": ("branch", str(branch)) for n, branch in enumerate(branches)}
    changed = Statement(before + counted + after)
    return (names, changed) if found and session.refusal([*_sequences(names), changed]) is None else None


def instrumented(function: str, body: str, prefix: str) -> tuple[str, tuple[Branch, ...]]:
    """A PL/pgSQL body with a counter named ``prefix`` and a number in each branch, and the branches.

    Branches are the body itself, those of IF (the one that is not written, too), CASE, loops and exception handlers,
    and of CASE … WHEN conditions within SQL. Raises SqlError where the body is none.
    """
    return _Instrument(function, body, prefix).run()


@dataclass
class _Open:
    """A construct that its END will close. ``waits``: the next THEN is its own."""

    kind: str
    waits: bool = False
    otherwise: bool = False


class _Instrument:
    def __init__(self, function: str, body: str, prefix: str) -> None:
        self._function, self._body, self._prefix = function, body, prefix
        self._tokens = [t for t in scan(body) if "COMMENT" not in t.kind]
        self._words = [t.text.upper() for t in self._tokens]
        self._branches: list[Branch] = []
        self._inserted: list[tuple[int, str]] = []
        self._open: list[_Open] = []

    def run(self) -> tuple[str, tuple[Branch, ...]]:
        for n, (token, word) in enumerate(zip(self._tokens, self._words, strict=True)):
            self._read(token, word, self._word(n - 1), self._word(n + 1))
        return self._text(), tuple(self._branches)

    def _read(self, token: Token, word: str, before: str, after: str) -> None:  # noqa: C901, PLR0912 - one grammar
        inner = self._open[-1] if self._open else None
        match word:
            case "BEGIN":
                self._open.append(_Open("BEGIN"))
                if len(self._open) == 1:
                    self._after(token, _FIRED)
                    self._count(token, "the function")
            case "IF" if before in _STATEMENTS_BEGIN_AFTER:
                self._open.append(_Open("IF", waits=True))
            case "ELSIF" | "ELSEIF" if inner is not None and inner.kind == "IF":
                inner.waits = True
            case "CASE" if before != "END":
                # CASE value WHEN … has no condition to count in
                condition = "condition" if after == "WHEN" else "value"
                within = inner is not None and inner.kind in {"condition", "value"}
                statement = before in _STATEMENTS_BEGIN_AFTER and not within
                self._open.append(_Open("CASE" if statement else condition, waits=True))
            case "LOOP" if before != "END":
                self._open.append(_Open("LOOP"))
                self._count(token, "LOOP")
            case "EXCEPTION" if inner is not None and before == ";" and after == "WHEN":
                inner.kind = "EXCEPTION"
            case "WHEN" if inner is not None and (inner.kind == "condition" or before in {";", "EXCEPTION"}):
                # not that of MERGE, which follows neither
                inner.waits = True
            case "THEN" if inner is not None and inner.waits and inner.kind != "value":
                inner.waits = False
                if inner.kind == "condition":
                    self._condition(token)
                else:
                    self._count(token, self._line_text(token))
            case "ELSE" if inner is not None and inner.kind in {"IF", "CASE", "condition"} and not inner.otherwise:
                inner.otherwise = True
                if inner.kind == "condition":
                    self._otherwise(token, "ELSE")
                else:
                    self._count(token, "ELSE")
            case "END" if inner is not None:
                self._open.pop()
                if not inner.otherwise and inner.kind == "IF":
                    self._no_else(token)
                elif not inner.otherwise and inner.kind == "condition":
                    self._otherwise(token, "none of its conditions")

    def _word(self, n: int) -> str:
        return self._words[n] if 0 <= n < len(self._words) else ""

    def _new(self, token: Token, what: str) -> str:
        line = self._body.count("\n", 0, token.start) + 1
        # the body begins with the line break after AS $$
        self._branches.append(Branch(self._function, line, what))
        name = _quoted(f"{self._prefix}{len(self._branches) - 1}")
        return f"pg_catalog.nextval({quote(f'pg_temp.{name}')})"

    def _line_text(self, token: Token) -> str:
        start = self._body.rfind("\n", 0, token.start) + 1
        return " ".join(self._body[start : token.end].split())

    def _after(self, token: Token, text: str) -> None:
        self._inserted.append((token.end, f" {text}"))

    def _count(self, token: Token, what: str) -> None:
        self._after(token, f"IF {self._new(token, what)} IS NULL THEN END IF;")

    def _no_else(self, token: Token) -> None:
        counter = self._new(token, "no branch of IF")
        self._inserted.append((token.start, f"ELSE IF {counter} IS NULL THEN END IF; "))

    def _condition(self, token: Token) -> None:
        """WHEN a THEN: the counter is asked where the condition is true."""
        depth = 0
        for when, word in zip(reversed(self._tokens), reversed(self._words), strict=True):
            if when.start < token.start:
                depth += (word == "END") - (word == "CASE")
                if word == "WHEN" and depth == 0:
                    break
        self._after(when, "(")
        counter = self._new(token, " ".join(self._body[when.start : token.end].split()))
        self._inserted.append((token.start, f") AND {counter} IS NOT NULL "))

    def _otherwise(self, token: Token, what: str) -> None:
        self._inserted.append((token.start, f"WHEN {self._new(token, what)} IS NULL THEN NULL "))

    def _text(self) -> str:
        pieces, done = [], 0
        # sorting is stable: what was inserted first at a place comes first
        for place, text in sorted(self._inserted, key=lambda one: one[0]):
            pieces += [self._body[done:place], text]
            done = place
        return "".join([*pieces, self._body[done:]])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
