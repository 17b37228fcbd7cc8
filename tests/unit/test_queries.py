"""The headers of hot queries: what they say is understood, and what is wrong with them is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.queries import DEFAULT_LIMIT, DEFAULT_SLOWER, Query, QueryError, Source, parse_query, queries_of

FILE = Path("queries/page.sql")
WRITING = "-- uses: pk_users\n-- writes\n-- pages: at most 20\n-- wal: at most 900 bytes\n"
USER = "-- $1 uuid: the user; from users.id\n"


def parsed(text: str) -> Query:
    """The query of a file's text."""
    return parse_query(text, FILE)


def test_a_header_says_all_that_is_promised() -> None:
    """Every key, several lines, and a limit of its own with its reason."""
    query = parsed(
        "-- A page of a chat,\n-- from a moment backwards.\n"
        "-- uses: idx_page, pk_users\n"
        "-- pages: at most 2 * bound + rows, because words are rare\n"
        "-- rows: at most 50\n"
        "-- sorts: because words have no order\n"
        "-- slower: 1.25\n"
        "-- $1 uuid: the chat; from messages.chat_id where deleted_at IS NULL\n"
        "-- $2 timestamptz: when; from (SELECT max(created_at)\n"
        "--      FROM messages WHERE chat_id = $1)\n"
        "SELECT id FROM messages -- no header\nWHERE chat_id = $1 AND created_at < $2;\n"
    )
    assert query.name == "page"
    assert query.meaning == "A page of a chat, from a moment backwards."
    assert query.uses == ("idx_page", "pk_users")
    assert query.limit.amount(bound=10, rows=3) == 23
    assert query.limit.reason == "words are rare"
    assert (query.rows_at_most, query.rows_exactly, query.slower) == (50, None, 1.25)
    assert query.sorts == "words have no order"
    assert [parameter.type for parameter in query.parameters] == ["uuid", "timestamptz"]
    assert query.parameters[0].meaning == "the chat"
    assert query.parameters[0].source == Source("column", "deleted_at IS NULL", "messages", "chat_id")
    assert query.parameters[1].source == Source("select", "SELECT max(created_at) FROM messages WHERE chat_id = $1")
    assert query.text.startswith("SELECT id")
    assert query.text.endswith("created_at < $2")
    assert query.line == 11


def test_what_a_header_leaves_out_is_the_usual() -> None:
    """The computed bound, any number of rows, and reading."""
    query = parsed("-- All.\n-- uses: pk_users\nSELECT id FROM users;")
    assert query.limit == DEFAULT_LIMIT
    assert query.limit.amount(bound=100, rows=0) == pytest.approx(112)
    assert not query.limited
    assert not query.writes
    assert query.slower == DEFAULT_SLOWER


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ("users.id", Source("column", "", "users", "id")),
        ("shop.users.id", Source("column", "", "shop.users", "id")),
        ("words of posts.body", Source("words", "", "posts", "body")),
        ("parts of posts.body where living", Source("parts", "living", "posts", "body")),
        ("elements of posts.tags", Source("elements", "", "posts", "tags")),
        ("'free'", Source("expression", "'free'")),
        ("now() - INTERVAL '1 day'", Source("expression", "now() - INTERVAL '1 day'")),
        ("(VALUES ('a'), ('b'))", Source("select", "VALUES ('a'), ('b')")),
    ],
)
def test_sources(said: str, source: Source) -> None:
    """Columns, words, elements, queries and values."""
    query = parsed(f"-- One.\n-- uses: i\n-- $1 text: it; from {said}\nSELECT id FROM users WHERE id = $1")
    assert query.parameters[0].source == source


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("SELECT 1", 1, "no header"),
        ("-- uses: i\nSELECT 1", 1, "no header"),
        ("-- It.\nSELECT 1", 2, "which indexes"),
        ("-- It.\n-- uses: a b\nSELECT 1", 2, "no list of indexes"),
        ("-- It.\n-- uses: a, a\nSELECT 1", 2, "no list of indexes"),
        ("-- It.\n-- uses: a\n-- uses: b\nSELECT 1", 3, "twice"),
        ("-- It.\n-- uses: a\n-- page: 3\nSELECT 1", 3, "nothing known"),
        ("-- It.\n-- uses: a\n-- pages: at most 3\nSELECT 1", 3, "no reason"),
        ("-- It.\n-- uses: a\n-- pages: at most import_os(), because I like\nSELECT 1", 3, "no formula"),
        ("-- It.\n-- uses: a\n-- pages: at most 1 / 0, because I like\nSELECT 1", 3, "no formula"),
        ("-- It.\n-- uses: a\n-- rows: many\nSELECT 1", 3, "no number"),
        ("-- It.\n-- uses: a\n-- wal: at most 3 bytes\nSELECT 1", 3, "for queries that write"),
        ("-- It.\n-- uses: a\n-- sorts:\nSELECT 1", 3, "no reason"),
        ("-- It.\n-- uses: a\n-- slower: 0.9\nSELECT 1", 3, "factor above 1"),
        ("-- It.\n-- uses: a\nSELECT 1; SELECT 2", 1, "one statement"),
        ("-- It.\n-- uses: a\n", 1, "one statement"),
        ("-- It.\n-- uses: a\nDROP TABLE users", 3, "is a SELECT"),
        ("-- It.\n-- uses: a\n\nSELEKT 1", 4, "does not parse"),
        ("-- It.\n-- uses: a\nSELECT $1", 3, "leaves out a parameter"),
        (f"-- It.\n-- uses: a\n{USER}SELECT 1", 4, "the query has not"),
        (f"-- It.\n-- uses: a\n{USER.replace('$1', '$2')}SELECT $2", 3, "in their order"),
        ("-- It.\n-- uses: a\n-- $1 uuid: the user\nSELECT $1", 3, "where $1's values come from"),
        ("-- It.\n-- uses: a\n-- $1 uu id ): the user; from users.id\nSELECT $1", 3, "type is none"),
        ("-- It.\n-- uses: a\n-- $1 uuid: the user; from users\nSELECT $1", 3, "source of $1 is unknown"),
        ("-- It.\n-- uses: a\n-- $1 uuid: the user; from (SELECT id FROM)\nSELECT $1", 3, "source of $1 is unknown"),
        ("-- It.\n-- uses: a\n-- $1 uuid: it; from users.id where SELECT\nSELECT $1", 3, "source of $1 is unknown"),
        (
            (
                "-- It.\n-- uses: a\n-- $1 uuid: it; from (WITH d AS (DELETE FROM t RETURNING id) SELECT id FROM d)\n"
                "SELECT $1"
            ),
            3,
            "source of $1 is unknown",
        ),
        ("-- It.\n-- uses: a\n-- $1 uuid: it; from (SELECT id FROM t WHERE a = $2)\nSELECT $1", 3, "come after it"),
        ("-- It.\n-- uses: a\nDELETE FROM users", 3, "writes that says that it reads"),
        ("-- It.\n-- uses: a\nSELECT id FROM users FOR UPDATE", 3, "writes that says that it reads"),
        ("-- It.\n-- uses: a\nSELECT id INTO TEMP t FROM users", 3, "writes that says that it reads"),
        ("-- It.\n-- uses: a\nWITH d AS (DELETE FROM u RETURNING id) SELECT id FROM d", 3, "writes that says"),
        ("-- It.\n-- uses: a\n-- writes\nDELETE FROM users", 4, "how many pages"),
        ("-- It.\n-- uses: a\n-- writes\n-- pages: at most 3\nDELETE FROM users", 5, "how much the query may log"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, line: int, said: str) -> None:
    """The file, the line, what is wrong and what to do."""
    with pytest.raises(QueryError) as caught:
        parsed(text)
    assert said in caught.value.what
    assert caught.value.where == f"{FILE}, line {line}"
    assert caught.value.remedy


def test_what_writes_has_frozen_limits() -> None:
    """Of pages and of log, by rows where their number is the data's; no reason is asked."""
    query = parsed(f"-- It.\n{WRITING}{USER}UPDATE users SET name = 'x' WHERE id = $1")
    assert query.writes
    assert query.wal is not None
    assert (query.limit.amount(bound=0, rows=1), query.wal.amount(bound=0, rows=1)) == (20, 900)


def test_a_function_that_writes_may_be_said_to() -> None:
    """The parser cannot know; the database is asked when the query is executed."""
    assert parsed(f"-- It.\n{WRITING}SELECT claim(10)").writes


def test_queries_of_a_folder(tmp_path: Path) -> None:
    """By name; none without a folder; a file that cannot be read is named."""
    assert queries_of(None) == ()
    (tmp_path / "b.sql").write_text("-- B.\n-- uses: i\nSELECT 1")
    (tmp_path / "a.sql").write_text("-- A.\n-- uses: i\nSELECT 1")
    assert [query.name for query in queries_of(tmp_path)] == ["a", "b"]
    (tmp_path / "c.sql").write_bytes(b"-- \xff")
    with pytest.raises(QueryError, match="cannot be read"):
        queries_of(tmp_path)
