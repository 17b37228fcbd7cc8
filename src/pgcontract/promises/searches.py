"""What one index for full text finds by one column's texts, beside what was promised. No I/O.

What the index holds is asked by its live expression, what it should hold is said by the frozen one: so a changed
configuration is seen by what is found, and not only by the plan of the frozen query, which no longer uses the index.
Lexemes are searched as they are (``'lexeme'::tsquery``): stemmed again, some would be lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from psycopg import sql

from pgcontract.promises import lexemes, plans
from pgcontract.promises.access import Access
from pgcontract.promises.base import Change
from pgcontract.rows.shape import Clause, Unbuildable, clause, index_columns
from pgcontract.rows.statements import Statement, Value, quote
from pgcontract.rows.worlds import World
from pgcontract.values.naming import domains_of

TSVECTOR = "tsvector"
LINE = 100
"""Characters of the texts that hold the listed words."""
MOST_STOP_WORDS = 8
UNBOUNDED = 2**20
"""A text of so many characters is beyond what any tsvector holds: where it is allowed, nothing bounds the text."""
USUAL = 10_000
"""Characters of the longest text that is tried where nothing bounds it."""
SAMPLE = 20
"""How many lexemes of the longest text are searched."""

_CONFIGURATION = re.compile(r"to_tsvector\(('(?:[^']|'')*'::regconfig)")
_TEXTUAL = re.compile(r"text|character varying(?:\((\d+)\))?|character\((\d+)\)|bpchar|name|(?:.+\.)?citext")
_ARRAYS = ("text[]", "character varying[]")
_JSON = ("json", "jsonb")

_QUERY = r"('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::TSQUERY"

Row = Mapping[str, Value]


def sources(world: World, source: str) -> Iterator[str]:
    """The columns of an expression that texts can be written to."""
    named = index_columns(world.table, [source])
    named |= {source} if world.has_column(source) else set()
    for column in world.shape.columns:
        if column.name in named and _spelled(_plain(world, column.type), "") is not None:
            yield column.name


def _plain(world: World, type_text: str) -> str:
    """What a type is made of, where it is a domain."""
    domains = domains_of(type_text, world.catalog)
    return domains[-1].type if domains else type_text


def _spelled(type_text: str, text: str) -> str | None:
    """A text as a value of a type that holds texts; None for other types."""
    if _TEXTUAL.fullmatch(type_text):
        return text
    if type_text in _JSON:
        return json.dumps({"text": text}, ensure_ascii=False)
    if type_text in _ARRAYS:
        return '{"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"}'
    if type_text == TSVECTOR:
        return " ".join(map(lexemes.lexeme, text.split()))
    return None


@dataclass(frozen=True)
class Search:
    """One column of texts, and one key of the index: ``source`` makes its tsvector from the row, as was promised.

    ``expression`` is the key's frozen expression, ``asked`` the live one, ``live_predicate`` with it.
    """

    known: Access
    world: World
    column: str
    source: str
    expression: str
    asked: str
    live_predicate: str | None

    @cached_property
    def type(self) -> str:
        """The column's type, without domains."""
        return _plain(self.world, self.world.shape.types[self.column])

    @cached_property
    def host(self) -> Row:
        """A row inside the predicate whose text may be any; raises Unbuildable."""
        found = self._near(want=True)
        if found is None:
            raise Unbuildable("no row was found inside the index's predicate", where=str(self.known.table))
        return found

    @cached_property
    def words(self) -> Mapping[str, tuple[str, ...]]:
        """The lexemes that each listed word adds to what the row has without it."""
        listed = (*lexemes.COMMON, *lexemes.CONTENT)
        empty, *found = self._lexemes(["", *listed])
        return {w: tuple(x for x in added if x not in empty) for w, added in zip(listed, found, strict=True)}

    @cached_property
    def stop_words(self) -> tuple[str, ...]:
        """Listed words that the configuration leaves out."""
        return tuple(word for word, found in self.words.items() if not found and word in lexemes.COMMON)

    @cached_property
    def content(self) -> tuple[str, ...]:
        """Listed words that it keeps."""
        return tuple(word for word, found in self.words.items() if found)

    @cached_property
    def longest(self) -> int | None:
        """How many characters the CHECKs and the type allow; None where nothing bounds them."""
        match = _TEXTUAL.fullmatch(self.type)
        if match and (limit := match[1] or match[2]):
            return min(int(limit), self._allowed(int(limit)) or int(limit))
        return self._allowed(UNBOUNDED)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be told with the verdict."""
        if _TEXTUAL.fullmatch(self.type) and self.longest is None:
            return (
                f"nothing bounds {self.column}: the index refuses a text of more than a megabyte of lexemes (54000)",
            )
        return ()

    def found(self) -> Iterator[Change]:
        """Texts of all listed words, and the longest, each found by its lexemes."""
        for line in self._lines(self.content):
            yield self._found_by_each(line, some=not self._rewritten)
        if _TEXTUAL.fullmatch(self.type):
            for worst in lexemes.WORST:
                yield self._longest(worst, self.longest or USUAL)

    def left_out(self) -> Iterator[Change]:
        """Stop words, NULL, empty text, and a text outside the predicate: found by nothing."""
        beside = next(iter(self._lines(self.content[:3])), "")
        for word in self.stop_words[:MOST_STOP_WORDS]:
            text = f"{word} {beside}".strip()
            yield self._left_out(self.host, text, [word], f"not found by the stop word {word}")
        sought = [x for word in self.content for x in self.words[word]]
        column = self.world.table.column(self.column)
        if column is not None and not column.not_null:
            yield self._left_out(self.host, None, sought, "NULL is found by nothing")
        yield self._left_out(self.host, "", sought, "empty text is found by nothing")
        outside = self._near(want="fails") if self.known.index.predicate else None
        if outside is not None:
            for line in self._lines(self.content):
                yield self._left_out(outside, line, sought, "a text outside the predicate is not in the index")

    def drawn(self) -> SearchStrategy[Change]:
        """Drawn texts, found by their lexemes; and searched as by reading the whole table."""
        nothing = {**self.host, self.column: _spelled(self.type, "")}
        texts = lexemes.texts(empty=self.world.shape.holds(list(self.world.shape.clauses.values()), [nothing])[0])
        alone = texts.map(lambda text: self._found_by_each(text, some=False))
        many = st.lists(texts, min_size=1, max_size=3)
        return alone | st.builds(self._searched, many, lexemes.searches())

    def _near(self, *, want: bool | str) -> Row | None:
        """A row inside (or outside) the predicate, with a text that words can take the place of."""
        base = dict(self.world.base)
        for one, _ in self.world.parents.values():
            base |= one
        wanted: list[Clause] = []
        if self.known.index.predicate:
            wanted.append(clause(self.known.index.predicate, self.world.table, want=want))
        for text in (_spelled(self.type, lexemes.CONTENT[0]), base[self.column], None):
            row = {**base, self.column: text}
            found = self.world.shape.find(row, wanted, fixed=frozenset([self.column]))
            if found is not None:
                return found
        return None

    def _lexemes(self, texts: Sequence[str]) -> list[list[str]]:
        """What the promised expression makes of each text in the host row; raises Unbuildable."""
        named = sorted(index_columns(self.world.table, [self.source]) - {self.column})
        types = self.world.shape.types
        beside = "".join(f", {quote(self.host.get(c))}::{types[c]} AS {quoted(c)}" for c in named)
        values = ", ".join(quote(_spelled(self.type, text)) for text in texts)
        rows = (
            f'SELECT "the number", "the text"::{self.type} AS {quoted(self.column)}{beside}'
            f' FROM unnest(ARRAY[{values}]) WITH ORDINALITY AS texts ("the text", "the number")'
        )
        vectors = f'SELECT "the number", {self.source} AS vector FROM ({rows}) AS {quoted(self.world.table.name.name)}'
        every = f'SELECT json_agg(tsvector_to_array(vector) ORDER BY "the number") FROM ({vectors}) AS vectors'
        answer = self.world.shape.oracle.evaluate([(f"({every})", "text")])[0].value
        if answer is None:
            raise Unbuildable("what the index makes of a text could not be told", where=str(self.known.table))
        return [found or [] for found in json.loads(answer)]

    def _lines(self, words: tuple[str, ...]) -> Iterator[str]:
        """The words in as few texts as the CHECKs allow."""
        lines = lexemes.lines(words, min(LINE, self.longest or LINE))
        rows = [{**self.host, self.column: _spelled(self.type, line)} for line in lines]
        kept = self.world.shape.holds(list(self.world.shape.clauses.values()), rows)
        yield from (line for line, good in zip(lines, kept, strict=True) if good)

    def _allowed(self, most: int) -> int | None:
        """How many characters the CHECKs allow, if fewer than ``most``."""

        def allowed(length: int) -> bool:
            row = {**self.host, self.column: "a" * length}
            return self.world.shape.holds(list(self.world.shape.clauses.values()), [row])[0]

        if allowed(most):
            return None
        shown = self.world.shape.domain(self.column, self.world.shape.sure).boundaries
        low, high = max((len(b) for b in shown if b and len(b) < most and allowed(len(b))), default=0), most
        if allowed(low + 1):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if allowed(middle) else (low, middle)
        return low

    @property
    def _rewritten(self) -> bool:
        """Whether a trigger may put something else in the text's place."""
        return any(t.timing == "BEFORE" and t.level == "ROW" for t in self.world.table.triggers)

    def _insert(self, row: Row, text: str | None) -> Statement:
        value = None if text is None else _spelled(self.type, text)
        return self.world.insert({**row, self.column: value}, show=[self.column])

    @property
    def _live(self) -> str:
        """The condition that the live index serves, up to its query."""
        return (f"({self.live_predicate}) AND " if self.live_predicate else "") + f"({self.asked}) @@"

    def _found_by_each(self, text: str, *, some: bool) -> Change:
        return Change(
            (self._insert(self.host, text), self._each(some=some)), wanted="found by every lexeme of its text"
        )

    def _each(self, *, some: bool, most: int | None = None) -> Statement:
        """Whether every row inside the predicate is found by each of its lexemes (and there are some)."""
        rows = f"SELECT ctid AS place, tableoid AS part, {self.source} AS vector FROM {self.known.relation}"
        sought = (
            f"SELECT place, part, {_QUERY} AS query FROM ({rows}{plans.inside(self.known)}) AS indexed,"
            " unnest(tsvector_to_array(vector)) AS each (lexeme)"
        ) + (f" LIMIT {most}" if most else "")
        found = (
            f"SELECT FROM {self.known.relation} AS found WHERE {self._live} sought.query"
            " AND found.ctid = sought.place AND found.tableoid = sought.part"
        )
        shown = "count(*) > 0 AS lexemes, " if some else ""
        return Statement(f"SELECT {shown}coalesce(bool_and(EXISTS ({found})), true) AS found FROM ({sought}) AS sought")

    def _longest(self, worst: str, length: int) -> Change:
        """The longest text that is allowed, in the form that takes the most room."""
        made = f"left(({worst.format(length=length)}), {length})"
        text = f"UPDATE {self.known.relation} SET {quoted(self.column)} = {made}{plans.inside(self.known)}"
        return Change(
            (
                self._insert(self.host, self.content[0] if self.content else ""),
                Statement(text),
                self._each(some=True, most=SAMPLE),
            ),
            wanted=f"a text of {length} characters is taken, and found",
        )

    def _left_out(self, row: Row, text: str | None, sought: Iterable[str], claim: str) -> Change:
        """No row that it was not promised to hold is found in the index by any of these lexemes."""
        query = " | ".join(map(lexemes.lexeme, dict.fromkeys(sought)))
        promised = f"({self.source}) @@ $1::TSQUERY"
        if self.known.index.predicate:
            promised = f"({self.known.index.predicate}) AND {promised}"
        found = f"SELECT FROM {self.known.relation} WHERE {self._live} $1::TSQUERY AND ({promised}) IS NOT TRUE"
        asked = Statement(f"SELECT NOT EXISTS ({found}) AS left_out", (query,))
        return Change((self._insert(row, text), asked), wanted=claim)

    def _searched(self, texts: list[str], search: tuple[str, str]) -> Change:
        """Texts, and what a search finds of them."""
        form, asked = search
        configuration = match[1] if (match := _CONFIGURATION.search(self.source)) else "'simple'::regconfig"
        query = form.format(configuration=configuration, words="$1::TEXT")
        condition = f"({self.expression}) @@ {query}"
        found = f"SELECT {quoted(self.column)}::TEXT FROM {self.known.relation}{plans.inside(self.known, condition)}"
        inserts = [self._insert(self.host, text) for text in texts]
        return plans.agreed(inserts, found, (asked,))


def quoted(name: str) -> str:
    """A name as an identifier."""
    return sql.Identifier(name).as_string()
