"""Frozen functions, triggers and rules as the statements that install them in the live schema's place. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable

from psycopg import sql

from pgcontract.model import Catalog, Function, Name, Rule, Trigger
from pgcontract.rows.statements import Statement, identifier, quote

SWITCHED = "pgcontract.switched"
RULES_OFF = "pgcontract.rules_off"
CALLS = "pgcontract.calls"
"""The setting that a probe writes its calls to: a rollback takes them back."""
SAVED_OTHERWISE = frozenset({"c", "internal"})
"""Languages whose functions are no text that could be installed again."""

_LISTS = frozenset({"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"})
_ELEMENT = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*(?:,|$)')
_STATES = {"DISABLED": "DISABLE", "REPLICA": "ENABLE REPLICA", "ALWAYS": "ENABLE ALWAYS"}


def trigger_function(catalog: Catalog, trigger: Trigger) -> Function | None:
    """The trigger's function, unless it is an extension's or PostgreSQL's own, or its text is not to be had."""
    named = (f for f in catalog.functions if f.name == trigger.function and not f.arguments and f.kind == "FUNCTION")
    return next((f for f in named if f.language.lower() not in SAVED_OTHERWISE), None)


def create_function(function: Function) -> Statement:
    """CREATE OR REPLACE a function of a trigger. It keeps its owner and privileges where it is there."""
    words = [
        f"CREATE OR REPLACE FUNCTION {_text(function.name)}({function.signature})",
        f"RETURNS {function.returns} LANGUAGE {sql.Identifier(function.language).as_string()}",
        function.volatility,
        f"PARALLEL {function.parallel}",
        "STRICT" if function.strict else "",
        "LEAKPROOF" if function.leakproof else "",
        "SECURITY DEFINER" if function.security_definer else "",
        *map(_setting, function.settings),
        f"AS {quote(function.body)}",
    ]
    return Statement(" ".join(word for word in words if word))


def _setting(setting: str) -> str:
    name, _, value = setting.partition("=")
    quoted = ".".join(sql.Identifier(part).as_string() for part in name.split("."))
    if name not in _LISTS:
        return f"SET {quoted} TO {quote(value)}"
    found = (m for m in _ELEMENT.finditer(value) if m.group())
    elements = (m[2] if m[1] is None else m[1].replace('""', '"') for m in found)
    return f"SET {quoted} TO {', '.join(map(quote, elements)) or quote('')}"


def drop_trigger(table: Name, trigger: Trigger) -> Statement:
    """DROP TRIGGER, be it there or not."""
    return Statement(f"DROP TRIGGER IF EXISTS {_quoted(trigger.name)} ON {_text(table)}")


def create_trigger(table: Name, trigger: Trigger) -> tuple[Statement, ...]:
    """CREATE TRIGGER, and its state where that is not the usual one."""
    state = _STATES.get(trigger.enabled)
    altered = [] if state is None else [f"ALTER TABLE {_text(table)} {state} TRIGGER {_quoted(trigger.name)}"]
    if trigger.deferred:
        # a transaction that has set ALL IMMEDIATE has set it for triggers to come, too
        altered.append(f"SET CONSTRAINTS {sql.Identifier(table.namespace, trigger.name).as_string()} DEFERRED")
    return Statement(_definition(table, trigger)), *map(Statement, altered)


def _definition(table: Name, trigger: Trigger) -> str:
    columns = ", ".join(map(_quoted, trigger.update_columns))
    events = [f"UPDATE OF {columns}" if columns and event == "UPDATE" else event for event in trigger.events]
    named = [("OLD", trigger.old_table), ("NEW", trigger.new_table)]
    tables = [f"{word} TABLE AS {_quoted(name)}" for word, name in named if name is not None]
    words = [
        f"CREATE {'CONSTRAINT ' if trigger.constraint else ''}TRIGGER {_quoted(trigger.name)}",
        f"{trigger.timing} {' OR '.join(events)} ON {_text(table)}",
        "DEFERRABLE" if trigger.deferrable else "",
        "INITIALLY DEFERRED" if trigger.deferred else "",
        f"REFERENCING {' '.join(tables)}" if tables else "",
        f"FOR EACH {trigger.level}",
        f"WHEN ({trigger.when})" if trigger.when else "",
        f"EXECUTE FUNCTION {_text(trigger.function)}({', '.join(map(quote, trigger.arguments))})",
    ]
    return " ".join(word for word in words if word)


def probe(table: Name, trigger: Trigger) -> Statement:
    """The trigger's function replaced by one that does nothing but write down how this trigger called it.

    A word a call: when, by what, for what, with which arguments, and how many rows the transition tables hold. Calls
    by other triggers count for nothing.
    """
    counted = [
        f"(SELECT ' {word} ' || count(*) FROM {_quoted(name)})"
        for word, name in (("OLD", trigger.old_table), ("NEW", trigger.new_table))
        if name is not None
    ]
    relation = f"{quote(_text(table))}::pg_catalog.regclass"
    words = " || ".join(["TG_WHEN || ' ' || TG_OP || ' ' || TG_LEVEL", "COALESCE(' ' || TG_ARGV::text, '')", *counted])
    body = f"""
BEGIN
  IF TG_NAME = {quote(trigger.name)} AND (
    TG_RELID = {relation} OR EXISTS (SELECT FROM pg_catalog.pg_partition_tree({relation}) WHERE relid = TG_RELID)
  ) THEN
    PERFORM pg_catalog.set_config(
      '{CALLS}', COALESCE(pg_catalog.current_setting('{CALLS}', true), '') || {words} || '; ', true
    );
  END IF;
  RETURN COALESCE(NEW, OLD);
END"""
    return Statement(
        f"CREATE OR REPLACE FUNCTION {_text(trigger.function)}() RETURNS trigger LANGUAGE plpgsql AS {quote(body)}"
    )


def drop_rule(table: Name, rule: Rule) -> Statement:
    """DROP RULE, be it there or not."""
    return Statement(f"DROP RULE IF EXISTS {_quoted(rule.name)} ON {_text(table)}")


def create_rule(table: Name, rule: Rule) -> tuple[Statement, ...]:
    """CREATE RULE, and its state where that is not the usual one."""
    state = _STATES.get(rule.enabled)
    altered = [] if state is None else [f"ALTER TABLE {_text(table)} {state} RULE {_quoted(rule.name)}"]
    return Statement(rule.definition.rstrip().rstrip(";")), *map(Statement, altered)


def rules_off(tables: Iterable[Name]) -> Statement:
    """Turn the rules of tables off, and remember how they were: a live one may not be as it was frozen."""
    named = ", ".join(f"{quote(_text(table))}::pg_catalog.regclass" for table in tables)
    body = f"""
DECLARE
  known record;
  back text := '';
BEGIN
  FOR known IN
    SELECT ev_class::pg_catalog.regclass AS relation, rulename AS name, ev_enabled AS state FROM pg_catalog.pg_rewrite
    WHERE ev_class = ANY (ARRAY[{named}]::pg_catalog.regclass[]) AND ev_enabled <> 'D' ORDER BY ev_class, rulename
  LOOP
    back := back || pg_catalog.format(
      'ALTER TABLE %s %s RULE %I;',
      known.relation,
      CASE known.state WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
      known.name
    );
    EXECUTE pg_catalog.format('ALTER TABLE %s DISABLE RULE %I', known.relation, known.name);
  END LOOP;
  PERFORM pg_catalog.set_config('{RULES_OFF}', back, true);
END"""
    return Statement(f"DO {quote(body)}")


def rules_on() -> Statement:
    """Turn on again what ``rules_off`` has turned off, as it was."""
    return Statement(f"DO {quote(f'BEGIN EXECUTE pg_catalog.current_setting({quote(RULES_OFF)}); END')}")


def switched_off(triggers: Iterable[tuple[Name, str]]) -> Statement:
    """Turn triggers off that are there, and remember how they were: a live one may not be as it was frozen."""
    named = ", ".join(f"({quote(_text(table))}::pg_catalog.regclass, {quote(name)}::name)" for table, name in triggers)
    body = f"""
DECLARE
  known record;
  back text := '';
BEGIN
  FOR known IN
    SELECT tgrelid::pg_catalog.regclass AS relation, tgname AS name, tgenabled AS state FROM pg_catalog.pg_trigger
    WHERE (tgrelid, tgname) IN ({named}) AND tgenabled <> 'D' ORDER BY tgrelid, tgname
  LOOP
    back := back || pg_catalog.format(
      'ALTER TABLE %s %s TRIGGER %I;',
      known.relation,
      CASE known.state WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END,
      known.name
    );
    EXECUTE pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', known.relation, known.name);
  END LOOP;
  PERFORM pg_catalog.set_config('{SWITCHED}', back, true);
END"""
    return Statement(f"DO {quote(body)}")


def switched_back() -> Statement:
    """Turn on again what ``switched_off`` has turned off, as it was."""
    return Statement(f"DO {quote(f'BEGIN EXECUTE pg_catalog.current_setting({quote(SWITCHED)}); END')}")


def _text(name: Name) -> str:
    return identifier(name).as_string()


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()
