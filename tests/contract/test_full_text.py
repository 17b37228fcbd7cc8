"""Search as people use it: Portuguese in the shop, English in the messenger, and parts of words in both."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from pgcontract.ephemeral import template_of
from pgcontract.server import Server
from pgcontract.system import System
from tests.contract.fix_systems import ROOT
from tests.contract.shelves import (
    BASE,
    BY_PARTS,
    CONTENT,
    DESCRIPTION,
    FILLER,
    GROUPS,
    MANY,
    PEOPLE,
    PRODUCT_NAME,
    SEARCHED,
    SHOP_CONTENT,
    SHOP_PARTS,
    Shelf,
)

# what a customer writes and what the shop says, in other forms of the same words
PORTUGUESE = [
    ("vestidos", "Vestido azul de festa"),
    ("promoção", "PROMOÇÃO até domingo"),
    ("comprar", "Comprei dois ontem"),
    ("entregas", "Vocês fazem entrega?"),
    ("menina", "meninas"),
    ("CORAÇÃO", "colar de coração"),
    ("sandália de couro", "Sandálias em couros macios"),
    ('"frete grátis"', "Hoje o frete grátis continua"),
    ("bolsa -preta", "Bolsas vermelhas"),
    ("anel or brinco", "Brincos dourados"),
]
ENGLISH = [
    ("meet", "We were meeting at noon"),
    ("runs", "running late"),
    ("photos", "One more photo"),
    ("quick replies", "she replied quickly"),
    ('"bread and bicycles"', "Bread and bicycles, mostly"),
    ("dinner -lunch", "Dinners at eight"),
    ("monday or tuesday", "on Tuesdays"),
]
LETTERS = "aáâãbcçdeéêfghiíjlmnoóôõpqrstuúvxz"
VOCABULARY = """
    vestido vestidos azul festa promoção promoções compra comprar comprei entrega coração sandália grátis de para que
    não os é você the and of not meeting meet run running photos replied dinner 4711 XK-4711 ana@example.com café naïve
    Ágata https://example.com/loja
"""
WORDS = st.sampled_from(VOCABULARY.split()) | st.text(LETTERS, min_size=1, max_size=6)
SEPARATORS = (" ", ", ", "-", "\n", "/", "' ", '" ')
TEXTS = st.builds(str.join, st.sampled_from(SEPARATORS), st.lists(WORDS, min_size=1, max_size=6))
QUERIES = ("websearch_to_tsquery", "phraseto_tsquery", "plainto_tsquery")
FEW = settings(
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    # what an example does is taken back at its end
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def sessions(pgcontract_server: Server) -> Iterator[dict[str, psycopg.Connection]]:
    """A database of each system, with the rows that texts need around them, and filler in every column."""
    found: dict[str, psycopg.Connection] = {}
    clones = []
    for name, base in BASE.items():
        clone = pgcontract_server.clone(pgcontract_server.template(template_of(System.load(ROOT / "schema" / name))))
        clones.append(clone)
        found[name] = session = psycopg.connect(clone.dsn, prepare_threshold=None)
        session.execute(base.encode())
        for column in (c for c in (*SEARCHED, *BY_PARTS) if c.system == name):
            texts = [f"{number:x}{column.longest}" for number in range(FILLER)]
            session.execute(column.insert.encode(), (texts,))
            session.execute(f"ANALYZE {column.table}".encode())
    yield found
    for session in found.values():
        session.close()
    for clone in clones:
        clone.drop()


@pytest.fixture
def shelf(request: pytest.FixtureRequest, sessions: dict[str, psycopg.Connection]) -> Shelf:
    """One column to search."""
    return Shelf(request.param, sessions[request.param.system])


every_text = pytest.mark.parametrize("shelf", SEARCHED, ids=str, indirect=True)
every_name = pytest.mark.parametrize("shelf", BY_PARTS, ids=str, indirect=True)


def lexeme(word: str) -> str:
    """A lexeme as the input of a tsquery quotes it."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.mark.parametrize(
    ("shelf", "asked", "text"),
    [(c, *pair) for c in SEARCHED for pair in (ENGLISH if c.configuration == "english" else PORTUGUESE)],
    ids=str,
    indirect=["shelf"],
)
def test_a_word_is_found_in_its_other_forms(shelf: Shelf, asked: str, text: str) -> None:
    """Plurals, tenses and capitals: what is asked in one form is found in another, and nothing else is."""
    with shelf.holding(text, "xyz"):
        assert shelf.ask(asked) == [text]


@every_text
@FEW
@given(text=TEXTS)
def test_a_text_is_found_by_each_of_its_lexemes(shelf: Shelf, text: str) -> None:
    """A lexeme is searched as it is: stemmed again, some would be lost."""
    lexemes = shelf.run(f"SELECT unnest(tsvector_to_array(to_tsvector('{shelf.column.configuration}', %s)))", text)
    with shelf.holding(text):
        for one in lexemes:
            assert text in shelf.search("%s::TSQUERY", lexeme(one)), one


@every_text
def test_stop_words_find_nothing(shelf: Shelf) -> None:
    """They are in no index, neither as they are nor as part of what is asked."""
    words = {"portuguese": ("de", "para", "não", "você"), "english": ("the", "and", "of", "not")}
    stops = words[shelf.column.configuration]
    text = " ".join(stops)
    with shelf.holding(text, f"{text} xyz"):
        for word in stops:
            assert shelf.search("%s::TSQUERY", lexeme(word)) == []
            assert shelf.ask(word) == []
        assert shelf.ask(f"{text} xyz") == [f"{text} xyz"]


@every_text
def test_other_languages_stop_words_are_words(shelf: Shelf) -> None:
    """One configuration leaves out what the other keeps."""
    other = {"portuguese": "the", "english": "você"}[shelf.column.configuration]
    with shelf.holding(other):
        assert shelf.ask(other) == [other]


@every_text
def test_accents_tell_words_apart_and_capitals_do_not(shelf: Shelf) -> None:
    """Nothing takes accents away: avó is not avô."""
    with shelf.holding("avó", "AVÔ", "avo"):
        assert [shelf.ask(word) for word in ("AVÓ", "avô", "Avo")] == [["avó"], ["AVÔ"], ["avo"]]


@pytest.mark.parametrize(
    ("shelf", "text"),
    [(DESCRIPTION, None), (DESCRIPTION, ""), (SHOP_CONTENT, None), (SHOP_CONTENT, "")],
    ids=str,
    indirect=["shelf"],
)
def test_null_and_empty_text_are_stored_and_found_by_nothing(shelf: Shelf, text: str | None) -> None:
    """Neither by words, nor by what a word is not, nor by an empty question."""
    by_words = f"{shelf.column.vector} @@ %s::TSQUERY"
    with shelf.holding("xyz", text):
        assert shelf.ask("") == []
        assert shelf.both_ways(by_words, "xyz") == (["xyz"], ["xyz"])
        assert shelf.search("%s::TSQUERY", "!xyz").count("xyz") == 0


@pytest.mark.parametrize(
    ("shelf", "text", "error"),
    [
        (PRODUCT_NAME, None, errors.NotNullViolation),
        (PRODUCT_NAME, "", errors.CheckViolation),
        (CONTENT, "", errors.CheckViolation),
    ],
    ids=str,
    indirect=["shelf"],
)
def test_a_text_that_nothing_could_find_is_refused(shelf: Shelf, text: str | None, error: type[Exception]) -> None:
    """A product has a name; a message says something, or has content NULL and an attachment."""
    with pytest.raises(error), shelf.holding(text):
        pass


@every_text
def test_the_longest_text_is_taken_and_found(shelf: Shelf) -> None:
    """Also the one that takes the most room in a tsvector; what is longer is refused by a CHECK, not by the index."""
    longest = shelf.column.longest
    pairs = (f"{chr(0x20000 + 2 * n)}-{chr(0x20001 + 2 * n)}" for n in range(longest))
    for text in ("xyz " + "a" * (longest - 4), ("xyz " + " ".join(pairs))[:longest]):
        with shelf.holding(text):
            assert shelf.ask("xyz") == [text]
        with pytest.raises(errors.CheckViolation), shelf.holding(text + "a"):
            pass


@every_text
def test_a_text_that_changes_is_found_by_its_new_words_only(shelf: Shelf) -> None:
    """The index follows updates and deletes."""
    column = shelf.column
    with shelf.holding("xyz one"):
        change = f"UPDATE {column.table} SET {column.text} = 'uvw' WHERE {column.text} = 'xyz one'"
        shelf.session.execute(change.encode())
        assert (shelf.ask("xyz"), shelf.ask("uvw")) == ([], ["uvw"])


@pytest.mark.parametrize(
    ("shelf", "leave", "come_back"),
    [
        (SHOP_CONTENT, "message_type = 'image'", "message_type = 'text'"),
        (SHOP_PARTS, "message_type = 'image'", "message_type = 'text'"),
        (CONTENT, "deleted_at = now()", "deleted_at = NULL"),
        (GROUPS, "deleted_at = now()", "deleted_at = NULL"),
    ],
    ids=str,
    indirect=["shelf"],
)
def test_what_leaves_the_predicate_is_not_found(shelf: Shelf, leave: str, come_back: str) -> None:
    """A caption of an image, a deleted message, a deleted chat: until it comes back."""
    column = shelf.column
    condition = f"{column.text} ILIKE %s" if column in BY_PARTS else f"{column.vector} @@ %s::TSQUERY"
    asked = "%xyz%" if column in BY_PARTS else "xyz"
    with shelf.holding("xyz"):
        for change, found in ((leave, []), (come_back, ["xyz"])):
            shelf.session.execute(f"UPDATE {column.table} SET {change} WHERE {column.text} = 'xyz'".encode())
            assert shelf.both_ways(condition, asked) == (found, found)


@every_text
@FEW
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), words=TEXTS, query=st.sampled_from(QUERIES))
def test_the_index_finds_what_reading_the_table_finds(shelf: Shelf, texts: list[str], words: str, query: str) -> None:
    """Whatever is asked, as in a search box, as a phrase, or word by word."""
    column = shelf.column
    with shelf.holding(*texts):
        by_index, by_table = shelf.both_ways(f"{column.vector} @@ {query}('{column.configuration}', %s)", words)
    assert by_index == by_table


@every_text
@FEW
@given(text=TEXTS, length=st.integers(1, 4))
def test_a_text_is_found_by_the_beginning_of_its_lexemes(shelf: Shelf, text: str, length: int) -> None:
    """As one searches while typing: by the index as by reading the table."""
    lexemes = shelf.run(f"SELECT unnest(tsvector_to_array(to_tsvector('{shelf.column.configuration}', %s)))", text)
    with shelf.holding(text):
        for one in lexemes:
            by_index, by_table = shelf.both_ways(f"{shelf.column.vector} @@ %s::TSQUERY", f"{lexeme(one[:length])}:*")
            assert text in by_index
            assert by_index == by_table


@pytest.mark.parametrize(
    ("shelf", "query"),
    [
        (PRODUCT_NAME, "product_search"),
        (SHOP_CONTENT, "message_search"),
        (SHOP_PARTS, "message_part_search"),
        (CONTENT, "message_search"),
        (PEOPLE, "people_search"),
        (GROUPS, "group_search"),
    ],
    ids=str,
    indirect=["shelf"],
)
def test_the_hot_query_uses_its_index_of_its_own_accord(shelf: Shelf, query: str) -> None:
    """Among two thousand rows the planner takes the promised index and no other, and finds by it what is there."""
    text = (ROOT / "schema" / shelf.column.system / "queries" / f"{query}.sql").read_text("utf-8")
    text = text.replace("%", "%%").replace("$1", "%s").rstrip().removesuffix(";")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    asked = "%4711%" if shelf.column in BY_PARTS else "4711"
    with shelf.holding("pedido 4711", *(f"xyz {number:x}" for number in range(MANY))):
        shelf.session.execute(f"ANALYZE {shelf.column.table}".encode())
        # as autovacuum does: what waits to be put into a GIN index is read from end to end, and the planner knows it
        shelf.session.execute("SELECT gin_clean_pending_list(%s::REGCLASS)", (shelf.column.index,))
        assert shelf.scanned(text, asked) == {shelf.column.index}
        assert len(shelf.run(text, asked)) == 1


@every_name
@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("4711", "Pedido XK-4711/b"),
        ("k-47", "Pedido XK-4711/b"),
        ("arIA cla", "Maria Clara"),
        ("çã", "Conceição"),
        ("100\\%", "é 100% algodão"),
        ("a\\_b", "a_b"),
        ("東京", "in 東京 today"),
    ],
)
def test_a_part_of_a_word_is_found(shelf: Shelf, part: str, text: str) -> None:
    """A name, an order number, a part of two letters only: in any case of letters, and nothing else."""
    with shelf.holding(text, "xyz"):
        found = shelf.parts(f"%{part}%")
    assert found == ([text], [text])


@every_name
@FEW
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), data=st.data())
def test_parts_are_found_as_by_reading_the_table(shelf: Shelf, texts: list[str], data: st.DataObject) -> None:
    """Any part of any text, as a pattern, with and without what stands around it."""
    text = data.draw(st.sampled_from(texts))
    start = data.draw(st.integers(0, len(text) - 1))
    part = (
        text[start : start + data.draw(st.integers(1, 8))].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    )
    with shelf.holding(*texts):
        by_index, by_table = shelf.parts(f"%{part}%")
    assert text in by_index
    assert by_index == by_table
