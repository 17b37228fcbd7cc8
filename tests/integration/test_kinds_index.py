"""Indexes and full text: sound ones are proven, and each small change of one is seen as broken, by its own promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from pgcontract.catalog import read_catalog
from pgcontract.ephemeral import ServerChoice, Stage, staged
from pgcontract.model import Catalog
from pgcontract.promises import full_text, index
from pgcontract.promises.base import Promise
from pgcontract.prover import Prover
from pgcontract.rows.worlds import Worlds
from pgcontract.server import Server
from pgcontract.session import Session
from pgcontract.system import System
from tests.integration.judging import sampled

SCHEMA = Path(__file__).with_name("indexes.sql")


@dataclass(frozen=True)
class Mutant:
    """A change of one index; ``by_definition``: no plan and no row tells the difference, only the catalog does.

    ``alone``: it changes what other indexes are on, too.
    """

    id: str
    ddl: str
    by_definition: bool = False
    alone: bool = False


def anew(table: str, name: str, definition: str, *, by_definition: bool = False) -> Mutant:
    """The index made again with another definition."""
    ddl = f"DROP INDEX {name}; CREATE INDEX {name} ON {definition.partition(' ')[0]} {definition.partition(' ')[2]}"
    return Mutant(f"{table}.{name}", ddl, by_definition)


def owned(definition: str, *, by_definition: bool = False) -> Mutant:
    """A B-tree of three columns changed."""
    return anew("things", "owned", f"things ({definition}", by_definition=by_definition)


def undone(definition: str) -> Mutant:
    """A partial index with INCLUDE changed."""
    return anew("things", "undone", f"things (made) {definition}")


def thing(name: str, definition: str, *, by_definition: bool = False) -> Mutant:
    """Another index of the same table changed."""
    return anew("things", name, f"things {definition}", by_definition=by_definition)


def generated(expression: str) -> Mutant:
    """The column that the index is on, made of something else."""
    ddl = (
        "ALTER TABLE pages DROP COLUMN search; ALTER TABLE pages ADD COLUMN search TSVECTOR"
        f" GENERATED ALWAYS AS ({expression}) STORED; CREATE INDEX made_search ON pages USING gin (search)"
    )
    return Mutant("pages.made_search", ddl, alone=True)


MUTANTS = {
    "drop_index": Mutant("things.owned", "DROP INDEX owned"),
    "reorder_columns": owned("made DESC, owner_id, code)"),
    "reorder_the_rest": owned("owner_id, code, made DESC)"),
    "flip_direction": owned("owner_id, made, code)"),
    "flip_every_direction": owned("owner_id DESC, made, code DESC)"),
    "drop_key_column": owned("owner_id, made DESC)"),
    "add_key_column": owned("owner_id, made DESC, code, name)", by_definition=True),
    "another_column": owned("owner_id, ended DESC, code)"),
    "make_partial": owned("owner_id, made DESC, code) WHERE NOT done"),
    "make_unique": Mutant(
        "things.owned", "DROP INDEX owned; CREATE UNIQUE INDEX owned ON things (owner_id, made DESC, code)"
    ),
    "invalid": Mutant(
        "things.owned",
        "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'public.owned'::REGCLASS",
    ),
    "not_maintained": Mutant(
        "things.undone",
        "UPDATE pg_catalog.pg_index SET indisready = false WHERE indexrelid = 'public.undone'::REGCLASS",
    ),
    "search_not_maintained": Mutant(
        "pages.body_search",
        "UPDATE pg_catalog.pg_index SET indisready = false WHERE indexrelid = 'public.body_search'::REGCLASS",
    ),
    "of_another_table": anew("things", "owned", "no_key (a)"),
    "drop_column": Mutant("things.owned", "ALTER TABLE things DROP COLUMN code", alone=True),
    "drop_table": Mutant("no_key.plain", "DROP TABLE no_key", alone=True),
    "flip_the_only_column": thing("made", "(made)"),
    "nulls_first": thing("ordered", "(price DESC, alias)"),
    "drop_include": undone("INCLUDE (name) WHERE NOT done AND ended IS NULL"),
    "drop_predicate": undone("INCLUDE (name, code)"),
    "drop_conjunct": undone("INCLUDE (name, code) WHERE NOT done"),
    "add_conjunct": undone("INCLUDE (name, code) WHERE NOT done AND ended IS NULL AND code > 0"),
    "negate_predicate": undone("INCLUDE (name, code) WHERE done AND ended IS NULL"),
    "another_constant": thing("open", "(state, made) WHERE state = 'closed'"),
    "drop_implied_predicate": thing("ended", "(ended)"),
    "drop_opclass": thing("lowered", "(lower(name), (code % 10))"),
    "another_expression": thing("lowered", "(upper(name) text_pattern_ops, (code % 10))"),
    "another_constant_in_key": thing("lowered", "(lower(name) text_pattern_ops, (code % 11))"),
    "drop_collation": thing("collated", "(name)"),
    "another_method": thing("hashed", "(name)", by_definition=True),
    "hash_of_another_column": thing("hashed", "USING hash (state)"),
    "arrays_of_another_column": thing("tagged", "USING gin (doc)"),
    "fewer_operators": thing("documented", "USING gin (doc jsonb_path_ops)"),
    "more_operators": thing("documented_paths", "USING gin (doc) WITH (fastupdate = off)", by_definition=True),
    "drop_option": Mutant("things.documented_paths", "ALTER INDEX documented_paths RESET (fastupdate)", True),
    "drop_trigrams_predicate": thing("alike", "USING gin (name public.gin_trgm_ops)"),
    "no_trigrams": thing("alike", "USING gin (name) WHERE NOT done"),
    "another_siglen": thing("alike_gist", "USING gist (name public.gist_trgm_ops (siglen = 64))", by_definition=True),
    "drop_gist_include": thing("timed", "USING gist (during)"),
    "gist_to_spgist": thing("placed", "USING spgist (spot)"),
    "brin_of_another_column": thing("bricked", "USING brin (ended) WITH (pages_per_range = 8)"),
    "without_a_key": anew("no_key", "plain", "no_key (b, a)"),
    "odd_names": Mutant(
        '"odd.place"."Ta""ble"."in.dex"',
        'DROP INDEX "odd.place"."in.dex"; CREATE INDEX "in.dex" ON "odd.place"."Ta""ble" ("Na me" DESC)',
    ),
    "partitioned": anew("events", "events_kind", "events (day DESC, kind)"),
    "of_no_partition": Mutant("events.events_id", "DROP INDEX events_id; CREATE INDEX events_id ON ONLY events (id)"),
    "of_a_partition": Mutant("events_new.events_new_alone", "DROP INDEX events_new_alone"),
    "without_partitions": anew("shards", "shards_name", "shards (id)"),
    "inherited": anew("parents", "sizes", "parents (id)"),
    "row_security": anew("guarded", "tenants", "guarded (id)"),
    "behind_a_trigger": anew("rewritten", "rewritten_name", "rewritten (id)"),
    "of_a_view": anew("totals", "totals_count", "totals (count)"),
    "portuguese_to_english": anew(
        "pages", "body_search", "pages USING gin (to_tsvector('english', body)) WHERE kind = 'text'"
    ),
    "portuguese_to_simple": anew(
        "pages", "body_search", "pages USING gin (to_tsvector('simple', body)) WHERE kind = 'text'"
    ),
    "simple_to_english": anew("pages", "body_plain", "pages USING gin (to_tsvector('english', body))"),
    "own_to_another": anew("pages", "body_own", "pages USING gin (to_tsvector('spanish', body))"),
    "search_without_predicate": anew("pages", "body_search", "pages USING gin (to_tsvector('portuguese', body))"),
    "search_of_images": anew(
        "pages", "body_search", "pages USING gin (to_tsvector('portuguese', body)) WHERE kind = 'image'"
    ),
    "search_of_another_column": anew("pages", "body_plain", "pages USING gin (to_tsvector('simple', title))"),
    "search_by_trigrams": anew("pages", "body_plain", "pages USING gin (body public.gin_trgm_ops)"),
    "gin_to_gist": anew("pages", "body_plain", "pages USING gist (to_tsvector('simple', body))"),
    "gist_of_another_language": anew("pages", "body_gist", "pages USING gist (to_tsvector('simple', body))"),
    "drop_a_vector": anew("pages", "both_search", "pages USING gin (to_tsvector('english', title))"),
    "mixed_keys": anew("pages", "with_kind", "pages USING gin (kind, to_tsvector('simple', title))"),
    "of_a_document": anew("pages", "doc_search", "pages USING gin (to_tsvector('simple', doc))"),
    "of_a_domain": anew("pages", "summary_search", "pages USING gin (to_tsvector('simple', summary))"),
    "of_a_views_text": anew("totals", "totals_name", "totals USING gin (to_tsvector('english', name))"),
    "search_behind_a_trigger": anew(
        "rewritten", "rewritten_search", "rewritten USING gin (to_tsvector('simple', name))"
    ),
    "odd_search": Mutant(
        '"odd.place"."Ta""ble".se arch',
        'DROP INDEX "odd.place"."se arch"; CREATE INDEX "se arch" ON "odd.place"."Ta""ble" USING gin'
        " (to_tsvector('simple', \"the lexeme\")) WHERE query IS NULL",
    ),
    "generated_in_english": generated("to_tsvector('english', coalesce(title, '') || ' ' || coalesce(body, ''))"),
    "generated_without_the_body": generated("to_tsvector('portuguese', title)"),
    "generated_with_stop_words": generated(
        "to_tsvector('portuguese', coalesce(title, '') || ' ' || coalesce(body, ''))"
        " || to_tsvector('simple', coalesce(body, ''))"
    ),
    "kept_partly": anew("pages", "kept_search", "pages USING gin (kept) WHERE kind = 'text'"),
    "filled_in_another_language": Mutant(
        "pages.filled_search",
        "DROP TRIGGER filled ON pages; CREATE TRIGGER filled BEFORE INSERT OR UPDATE ON pages"
        " FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(filled, 'pg_catalog.simple', title, body)",
    ),
    "filled_by_nobody": Mutant("pages.filled_search", "DROP TRIGGER filled ON pages"),
    "a_text_too_long_for_any_index": Mutant(
        "pages.body_search",
        "ALTER TABLE pages DROP CONSTRAINT chk_body, ADD CONSTRAINT chk_body CHECK (char_length(body) <= 150000)",
        alone=True,
    ),
}


@pytest.fixture(scope="module")
def stage(pgcontract_server: Server) -> Iterator[Stage]:
    """The schema on the run's server."""
    with staged(System.load(SCHEMA), pgcontract_server, ServerChoice()) as made:
        yield made


@pytest.fixture(scope="module")
def frozen(stage: Stage) -> Catalog:
    """What the schema promises."""
    return stage.read_catalog()


@contextmanager
def prover(stage: Stage, *ddl: str) -> Iterator[Prover]:
    """A prover on a copy of the schema that some DDL changed."""
    with stage.clone() as clone:
        connection = psycopg.connect(clone.dsn, autocommit=True)
        for statement in ddl:
            connection.execute(statement.encode())
        live = read_catalog(connection)
        session = Session(connection)
        yield Prover(session, Worlds(live, session), examples=10)
        session.close()


def together() -> list[tuple[str, ...]]:
    """The mutants' names in groups that share a copy: in each of them an index is changed once."""
    alone = [(name,) for name, mutant in MUTANTS.items() if mutant.alone]
    shared: list[dict[str, str]] = []
    for name, mutant in MUTANTS.items():
        if not mutant.alone:
            group = next((group for group in shared if mutant.id not in group), None)
            if group is None:
                shared.append(group := {})
            group[mutant.id] = name
    return [*alone, *(tuple(group.values()) for group in shared)]


@pytest.fixture(scope="module")
def changed(stage: Stage) -> Iterator[Callable[[str], Prover]]:
    """A prover on a copy where a mutant's change was made, and others' beside it."""
    with ExitStack() as stack:
        known: dict[str, Prover] = {}

        def of(name: str) -> Prover:
            if name not in known:
                group = next(group for group in together() if name in group)
                made = stack.enter_context(prover(stage, *(MUTANTS[other].ddl for other in group)))
                known.update(dict.fromkeys(group, made))
            return known[name]

        yield of


def promised(frozen: Catalog) -> dict[str, Promise]:
    """The promises of both kinds, by their ids."""
    found: list[Promise] = [*index.promises(frozen), *full_text.promises(frozen)]
    return {promise.id: promise for promise in found}


@pytest.mark.thorough
def test_every_sound_index_is_proven(stage: Stage, frozen: Catalog) -> None:
    """Of every method and kind, on ordinary and odd tables: none is broken, and none is left without evidence."""
    with prover(stage) as sound:
        found = {id_: sound.verdict(promise) for id_, promise in promised(frozen).items()}
    assert {id_: (v.reason, v.counterexample) for id_, v in found.items() if v.verdict != "proven"} == {}


@pytest.mark.parametrize("name", sampled(MUTANTS))
def test_a_changed_index_is_broken(name: str, changed: Callable[[str], Prover], frozen: Catalog) -> None:
    """Whatever is changed of an index, or of what fills it, it is broken: as plans or rows show, if they can."""
    mutant = MUTANTS[name]
    verdict = changed(name).verdict(promised(frozen)[mutant.id])
    assert verdict.verdict == "broken", verdict.reason
    assert ("defined as promised" in (verdict.reason or "")) == mutant.by_definition, verdict.reason
