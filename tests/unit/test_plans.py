"""Plans are read, judged by their structure, and given a bound that facts decide."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pgcontract.execution import Checked, Measured, with_growth
from pgcontract.plans import (
    LARGE,
    Facts,
    IndexFacts,
    Node,
    Plan,
    PlanError,
    Promised,
    TableFacts,
    bound_of,
    broken,
    read_plan,
)
from pgcontract.plans.answer import answer_query
from pgcontract.plans.bounds import Visits, gin_levels, keys_of

PAGES = {"messages": 1000, "plans": 1}
TABLES = {"idx": "messages", "pk_plans": "plans"}
SCAN = Node("Index Scan", relation="messages", alias="messages", index="idx", condition="(a = 1)", rows=50, loops=1)
PROMISED = Promised(["idx"], PAGES, TABLES)
FACTS = Facts(
    {"idx": IndexFacts("btree", 2, 100, "messages"), "gin": IndexFacts("gin", 1, table="messages")},
    {name: TableFacts(pages) for name, pages in PAGES.items()},
)


def said(**fields: Any) -> str:
    """EXPLAIN's JSON of a plan of one index scan, with other fields."""
    node = {
        "Node Type": "Index Scan", "Relation Name": "messages", "Alias": "m", "Index Name": "idx",
        "Index Cond": "(a = $1)", "Actual Rows": 2, "Actual Loops": 3, "Shared Hit Blocks": 5, "Shared Read Blocks": 2,
    }  # fmt: skip
    return json.dumps([{"Plan": node | fields, "Execution Time": 0.5, "Triggers": []}])


def test_a_plan_is_read() -> None:
    """Rows of all loops, buffers hit and read, and values in the place of parameters."""
    plan = read_plan(said(), {1: "'x'::text"})
    (node,) = plan.root.walk()
    assert (node.rows, node.buffers, node.condition) == (6, 7, "(a = 'x'::text)")
    assert plan.indexes == {"idx"}
    assert plan.fingerprint == "Index Scan on messages by idx"
    assert plan.milliseconds == 0.5


@pytest.mark.parametrize("text", ["", "[]", "{}", '[{"Plan": {}}]', "[1]", "null"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    """With an error, not a traceback."""
    with pytest.raises(PlanError):
        read_plan(text)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (SCAN, None),
        (replace(SCAN, index="other"), "idx is promised and not used"),
        (Node("Seq Scan", relation="messages"), "messages is read from end to end: 1,000 pages"),
        (Node("Sort", rows=50, loops=1, children=(replace(SCAN, rows=51),)), "51 rows of messages are sorted"),
        (Node("Sort", rows=101, loops=1, children=(replace(SCAN, rows=101),)), "101 rows of messages are sorted"),
        (Node("Sort", rows=50, loops=1, children=(SCAN,)), None),
        (replace(SCAN, lossy=3), "lossy"),
        (replace(SCAN, spilled=3), "temporary files"),
    ],
)
def test_structure(node: Node, words: str | None) -> None:
    """The promised index, nothing large from end to end, nothing sorted that comes in order, nothing spilled."""
    found = broken(Plan(node), PROMISED)
    assert (found == ()) if words is None else any(words in one for one in found)


def test_a_small_table_may_be_read_from_end_to_end() -> None:
    """Its promised index is not missed then."""
    plan = Plan(Node("Seq Scan", relation="plans", rows=4, loops=1))
    assert broken(plan, replace(PROMISED, uses=["pk_plans"])) == ()
    assert bound_of(plan, FACTS).pages == 1
    assert broken(plan, Promised(["pk_plans"], {"plans": LARGE + 1}, TABLES)) != ()


def test_a_declared_sort_is_none_too_many() -> None:
    """Where no index can give the order."""
    plan = Plan(Node("Sort", rows=50, loops=1, children=(replace(SCAN, rows=5000),)))
    assert broken(plan, replace(PROMISED, sorts=True)) == ()


def test_a_plan_for_all_values_may_sort_what_an_average_parent_has() -> None:
    """It cannot know that this one has more; a thousand rows are the most."""
    plan = Plan(Node("Sort", rows=50, loops=1, children=(replace(SCAN, rows=1000),)))
    assert broken(plan, replace(PROMISED, general=True)) == ()
    plan = Plan(Node("Sort", rows=50, loops=1, children=(replace(SCAN, rows=1001),)))
    assert broken(plan, replace(PROMISED, general=True)) != ()


def test_a_table_that_is_joined_may_be_read_from_end_to_end_where_look_ups_take_more() -> None:
    """That is what its bound is then, too; a table that a promised index is of may not."""
    pages = {"messages": 1000, "chats": 120}
    plan = Plan(Node("Seq Scan", relation="chats", alias="chats", rows=900, loops=1))
    facts = Facts(tables={"chats": TableFacts(120)}, joined={"chats": 60})
    assert broken(plan, Promised([], pages, TABLES, joined={"chats": 60})) == ()
    assert bound_of(plan, facts).pages == 120
    assert broken(plan, Promised([], pages, TABLES, joined={"chats": 59})) != ()
    assert bound_of(plan, replace(facts, joined={})).pages == 0


@pytest.mark.parametrize(
    ("node", "answer", "index_pages", "heap_pages"),
    [
        # two levels and a leaf; the rows' pages, as often as they change
        (SCAN, Visits(50, 40, 45), 3, 45),
        (replace(SCAN, rows=250), Visits(250, 100, 100), 5, 100),
        # filtered away: what was not asked for counts for nothing
        (replace(SCAN, rows=50, removed=10_000), Visits(50, 40, 40), 3, 40),
        (replace(SCAN, kind="Index Only Scan"), Visits(50, 40, 45), 3, 1),
        (replace(SCAN, kind="Index Only Scan", rows=0), Visits(), 3, 0),
        # a join: a descent and a page a row, however often the plan goes down
        (replace(SCAN, rows=50, loops=50), Visits(50, 10, 10), 150, 50),
        (replace(SCAN, rows=50, loops=5000), Visits(50, 10, 10), 150, 50),
        # nothing is known of the answer
        (SCAN, None, 3, 50),
        (replace(SCAN, loops=0), None, 0, 0),
        # from end to end, of a large table: that is what no bound makes good
        (Node("Seq Scan", relation="messages", rows=9, loops=1), None, 0, 0),
    ],
)
def test_bounds(node: Node, answer: Visits | None, index_pages: int, heap_pages: int) -> None:
    """Descents, further leaves, and the pages of the answer's rows."""
    facts = replace(FACTS, answer={} if answer is None else {"messages": answer})
    bound = bound_of(Plan(node), facts)
    assert (bound.index_pages, bound.heap_pages) == (index_pages, heap_pages)
    assert bound.pages == index_pages + heap_pages


def test_bound_of_a_bitmap() -> None:
    """Each page once, whatever the order; the index as any other scan of it."""
    below = replace(SCAN, kind="Bitmap Index Scan", relation=None, rows=250)
    heap = Node("Bitmap Heap Scan", relation="messages", alias="messages", rows=250, loops=1, children=(below,))
    bound = bound_of(Plan(heap), replace(FACTS, answer={"messages": Visits(250, 80, 120)}))
    assert (bound.index_pages, bound.heap_pages, bound.levels) == (5, 80, 2)


def test_a_scan_that_need_not_keep_an_order_visits_no_page_twice() -> None:
    """A bitmap would not; so the index scan that does is over its bound."""
    facts = replace(FACTS, answer={"messages": Visits(50, 40, 45)}, ordered=False)
    assert bound_of(Plan(SCAN), facts).heap_pages == 40


def test_bound_of_a_gin_index() -> None:
    """Its first page, a descent a key, and pages of rows where a key has many."""
    condition = "(to_tsvector('english', x) @@ '''one'' & ''two'''::tsquery)"
    node = Node("Bitmap Index Scan", index="gin", condition=condition, rows=10, loops=1)
    assert bound_of(Plan(node), FACTS).index_pages == 1 + 2 * 2
    assert bound_of(Plan(replace(node, rows=20_000)), FACTS).index_pages == 1 + 2 * 2 + 2 * 5
    large = replace(FACTS, indexes={"gin": IndexFacts("gin", 1, rows=100_000)})
    assert bound_of(Plan(node), large).index_pages == 1 + 2 * 2 + 2 * 2


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("(v @@ '''one'' & ''two'' <-> ''one'''::tsquery)", 2),
        ("(to_tsvector('english'::regconfig, x) @@ websearch_to_tsquery('english'::regconfig, 'one two'::text))", 2),
        ('(metadata @> \'{"a": 1, "b": [2, 3]}\'::jsonb)', 3),
        ("(metadata @> '{}'::jsonb)", 1),
        ("(tags @> '{a,b}'::text[])", 2),
        ("(name ~~* '%abcde%'::text)", 3),
        ("(name ~~* 'abc%'::text)", 3),
        ("(name ~~* '%ab%'::text)", 1),
        ("(v @@ $1)", 1),
    ],
)
def test_keys_of_a_gin_condition(condition: str, keys: int) -> None:
    """Lexemes, paths, elements and trigrams."""
    assert keys_of(condition) == keys


def test_levels_of_a_gin_index() -> None:
    """By the pages of its keys."""
    assert [gin_levels(pages) for pages in (0, 1, 2, 200, 201, 40_000, 40_001)] == [0, 0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("statement", "sorted_afterwards", "text"),
    [
        ("SELECT a FROM t WHERE b = $1 ORDER BY c DESC LIMIT 3", False,
         "SELECT t.ctid AS c0 FROM t WHERE b = $1 ORDER BY c DESC LIMIT 3"),
        ("SELECT a FROM t WHERE b = $1 ORDER BY c DESC LIMIT 3", True, "SELECT t.ctid AS c0 FROM t WHERE b = $1"),
        ("SELECT u.a FROM t JOIN u ON u.id = t.id LIMIT 3", False,
         "SELECT t.ctid AS c0, u.ctid AS c1 FROM t JOIN u ON u.id = t.id LIMIT 3"),
        ("SELECT b, COUNT(*) FROM t GROUP BY b ORDER BY b ASC LIMIT 3", False, "SELECT t.ctid AS c0 FROM t"),
        ("SELECT COALESCE(SUM(b), 0) FROM t", False, "SELECT t.ctid AS c0 FROM t"),
        ("SELECT a FROM t UNION ALL SELECT a FROM u", False, None),
        ("SELECT a FROM (SELECT a FROM t) AS s", False, None),
        ("WITH s AS (SELECT a FROM t) SELECT a FROM s", False, None),
        ("SELECT DISTINCT a FROM t", False, None),
        ("SELECT 1", False, None),
        ("UPDATE t SET a = 1", False, None),
    ],
)  # fmt: skip
def test_the_rows_that_an_answer_is_made_of(statement: str, sorted_afterwards: bool, text: str | None) -> None:
    """Their addresses, by the same conditions, order and limit; all rows where the order comes later."""
    found = answer_query(statement, sorted_afterwards=sorted_afterwards)
    assert (None if found is None else found.text) == text


def grown(rows: int, pages: int, bound: int, heap: int) -> Checked:
    """A query that was measured once."""
    measured = Measured("large", "custom", 50, pages, bound, heap, bound - heap, 2, 1.1 * bound + 2, 0.1, "Index Scan")
    return Checked("page", "page.sql", ("idx",), "1.1 * bound + 2", rows, (measured,))


def test_growth_of_a_tables_pages_is_none_of_the_index() -> None:
    """Rows are spread over more pages; what is left may grow by the index's levels."""
    assert [c.verdict for c in with_growth([grown(1000, 4, 4, 2), grown(1_000_000, 54, 53, 50)])] == ["kept", "kept"]


def test_growth_of_what_is_read_in_vain_is_broken() -> None:
    """Also where the limit itself, which allows a tenth, would not be."""
    found = with_growth([grown(1000, 102, 102, 100), grown(1_000_000, 1010, 1002, 1000)])
    assert [c.verdict for c in found] == ["kept", "broken"]
    assert "explained" in found[1].measured[0].problems[0]


def test_a_query_that_never_returns_a_row_shows_nothing() -> None:
    """It is broken; one that does so at one size is empty at the others."""
    nothing = Checked("page", "page.sql", ("idx",), "", 1000)
    assert [c.verdict for c in with_growth([nothing, replace(nothing, rows=10_000)])] == ["broken", "broken"]
    assert [c.verdict for c in with_growth([nothing, grown(10_000, 4, 4, 2)])] == ["empty", "kept"]


def test_growth_takes_a_plans_own_pages_away() -> None:
    """First a bitmap read each page once, later the order is worth coming back: neither is the index's growth."""
    bitmap = grown(1000, 15, 28, 13)
    (one,) = bitmap.measured
    bitmap = replace(bitmap, measured=(replace(one, indexes=2),))
    in_order = grown(10_000, 125, 125, 122)
    assert [c.verdict for c in with_growth([bitmap, in_order])] == ["kept", "kept"]


def test_rows_may_be_sorted_where_their_order_comes_back_to_pages() -> None:
    """All of them are given, and they are not too many; else an index has to give the order."""
    heap = Node("Bitmap Heap Scan", relation="messages", alias="messages", rows=123, loops=1)
    sort = Node("Sort", rows=123, loops=1, children=(heap,))
    apart = replace(PROMISED, uses=[], apart=["messages"])
    assert broken(Plan(sort, 0.1), apart) == ()
    assert broken(Plan(sort, 0.1), replace(apart, apart=())) != ()
    assert broken(Plan(replace(sort, rows=50), 0.1), apart) != ()
    many = replace(sort, rows=2000, children=(replace(heap, rows=2000),))
    assert broken(Plan(many, 0.1), apart) != ()
