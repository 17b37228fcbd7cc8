"""Words and texts to search by, for any configuration: which of them are stop words, the database decides. No I/O."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_COMMON: Final = """
    the and of is in to with de que para não você uma com el los y con le et les est dans der die und nicht ist il che
    di non het een van niet og jeg det ikke på och jag att är ja on että és hogy egy și este ve bir için και το и в не
    что на في من और में ner та ir
"""
_CONTENT: Final = """
    sapatos vestido promoções coração maçã açúcar entregas correndo runs running shoes delivery niños corazón élèves
    l'été città größe Straße Häuser smørrebrød löytyy könyvek kitaplar książki книги заказы καφέδες 東京 किताबें كتب
    ספרים ÁGUA NAÏVE 4711 XK-4711 3.14 wi-fi maria@example.com https://example.com/loja/7
"""
COMMON: Final = tuple(_COMMON.split())
"""The commonest words of the languages that PostgreSQL comes with: candidates for stop words."""
CONTENT: Final = (*_CONTENT.split(), "e\u0301te\u0301")
"""Words with inflections, accents (combining ones, too), capitals, digits and hyphens, of many scripts."""

LETTERS: Final = "abcdefghilmnoprstuvzáâãàçéêíóôõúüñßøåłşğёжщыэюяλωό0179"
BETWEEN: Final = (" ", "  ", ", ", ". ", "\n", "-", "/", "_", "' ", '" ', "\\", " & ", " | ", " !", ":*", " (", ") ")
MOST_WORDS: Final = 6

# short words of many letters: every other character begins a lexeme
_WORDS: Final = (
    "SELECT string_agg(translate(to_hex(n), '0123456789', 'ghijklmnop'), ' ' ORDER BY n ASC)"
    " FROM generate_series(1, {length}) AS n"
)
# pairs of four-byte characters with a hyphen: three lexemes of seventeen bytes out of four characters, no two alike
_PAIRS: Final = (
    "SELECT string_agg(chr(131072 + n % 42000) || CASE WHEN n < 42000 THEN '' ELSE chr(131072 + n / 42000) END,"
    " CASE n % 2 WHEN 0 THEN ' ' ELSE '-' END ORDER BY n ASC) FROM generate_series(1, {length}) AS n"
)
WORST: Final = (_WORDS, _PAIRS)
"""Texts that take the most room as a tsvector: 3 and 10.5 bytes a character."""


def words() -> SearchStrategy[str]:
    """One word: of the lists above, or any letters."""
    return st.sampled_from(COMMON + CONTENT) | st.text(LETTERS, min_size=1, max_size=8)


@st.composite
def texts(draw: st.DrawFn, *, empty: bool = True) -> str:
    """Words with all kinds of things between them."""
    found = draw(st.lists(words(), min_size=0 if empty else 1, max_size=MOST_WORDS))
    between = draw(st.sampled_from(BETWEEN))
    return between.join(found)


@st.composite
def searches(draw: st.DrawFn) -> tuple[str, str]:
    """A tsquery's SQL, in which ``{configuration}`` and ``{words}`` are to be filled in, and the words."""
    found = draw(st.lists(words(), min_size=1, max_size=3))
    kind = draw(st.sampled_from(("web", "phrase", "plain", "prefix")))
    match kind:
        case "web":
            forms = draw(
                st.lists(st.sampled_from(("{}", '"{}"', "-{}", "or {}")), min_size=len(found), max_size=len(found))
            )
            asked = " ".join(form.format(word) for form, word in zip(forms, found, strict=True))
            return "websearch_to_tsquery({configuration}, {words})", asked
        case "phrase":
            return "phraseto_tsquery({configuration}, {words})", " ".join(found)
        case "plain":
            return "plainto_tsquery({configuration}, {words})", " ".join(found)
        case _:
            start = found[0][: draw(st.integers(1, 4))]
            return "({words} || ':*')::TSQUERY", lexeme(start)


def lexeme(word: str) -> str:
    """A lexeme as the input of tsvector and tsquery quotes it."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def lines(found: tuple[str, ...], longest: int) -> tuple[str, ...]:
    """Words joined by spaces to as few texts as may be, none longer than so many characters."""
    lines: list[str] = []
    for word in found:
        if lines and len(lines[-1]) + 1 + len(word) <= longest:
            lines[-1] += f" {word}"
        elif len(word) <= longest:
            lines.append(word)
    return tuple(lines)
