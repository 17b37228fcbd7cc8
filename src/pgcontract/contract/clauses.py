"""Promises in SQL's words, each on one line, for people to read. No I/O."""

from __future__ import annotations

import re

from pgcontract.contract.names import qualified
from pgcontract.model import (
    Check,
    Collation,
    Column,
    Composite,
    DefaultPrivilege,
    Domain,
    Enum,
    Exclusion,
    ForeignKey,
    Function,
    Grant,
    Index,
    IndexKey,
    Key,
    Name,
    Policy,
    RangeType,
    Rule,
    Sequence,
    Table,
    Trigger,
    View,
)

_SPACE = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return _SPACE.sub(" ", text.strip())


def identifier(name: str) -> str:
    """A name as SQL writes it. Keywords stay bare: this is read by people, and never run."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _listed(names: tuple[str, ...]) -> str:
    return "(" + ", ".join(map(identifier, names)) + ")"


def _shown(name: Name) -> str:
    prefix = "" if name.namespace == "public" else f"{identifier(name.namespace)}."
    return prefix + identifier(name.name)


def _join(*words: str | None) -> str:
    return " ".join(word for word in words if word)


def _bracketed(expression: str) -> str:
    text = one_line(expression)
    return text if text.startswith("(") and text.endswith(")") else f"({text})"


def column_type(column: Column) -> str:
    """``content text COLLATE …``."""
    return _join(identifier(column.name), column.type, f"COLLATE {column.collation}" if column.collation else None)


def storage(column: Column) -> str:
    """``STORAGE EXTERNAL COMPRESSION lz4``."""
    return _join(
        f"STORAGE {column.storage}" if column.storage else None,
        f"COMPRESSION {column.compression}" if column.compression else None,
    )


def generated(column: Column) -> str:
    """``GENERATED ALWAYS AS (…) STORED``."""
    return f"GENERATED ALWAYS AS {_bracketed(column.generated or '')} {'VIRTUAL' if column.virtual else 'STORED'}"


def _timing(thing: Key | ForeignKey | Exclusion | Trigger) -> str | None:
    if not thing.deferrable:
        return "INITIALLY DEFERRED" if thing.deferred else None
    return "DEFERRABLE INITIALLY DEFERRED" if thing.deferred else "DEFERRABLE"


def _validity(thing: Check | ForeignKey) -> str | None:
    return _join("" if thing.enforced else "NOT ENFORCED", "" if thing.validated else "NOT VALID")


def key(one: Key) -> str:
    """``UNIQUE (a, b)``."""
    columns = _listed(one.columns)
    return _join(
        "PRIMARY KEY" if one.primary else "UNIQUE",
        "NULLS NOT DISTINCT" if one.nulls_not_distinct else None,
        f"{columns[:-1]} WITHOUT OVERLAPS)" if one.without_overlaps else columns,
        f"INCLUDE {_listed(one.include)}" if one.include else None,
        _options(one.options),
        _timing(one),
    )


def check(one: Check) -> str:
    """``CHECK (…)``."""
    return _join(f"CHECK {_bracketed(one.expression)}", "NO INHERIT" if one.no_inherit else None, _validity(one))


def foreign_key(one: ForeignKey) -> str:
    """``FOREIGN KEY (a) REFERENCES b (c)``, without its actions: they are promises of their own."""
    return _join(
        f"FOREIGN KEY {_listed(one.columns)} REFERENCES {_shown(one.references)} {_listed(one.keys)}",
        "PERIOD" if one.period else None,
        "MATCH FULL" if one.match_full else None,
        _timing(one),
        _validity(one),
    )


def action(one: ForeignKey, event: str) -> str:
    """``ON DELETE SET NULL (a)``."""
    if event == "update":
        return f"ON UPDATE {one.on_update}"
    return _join(f"ON DELETE {one.on_delete}", _listed(one.delete_columns) if one.delete_columns else None)


def index_key(one: IndexKey) -> str:
    """``lower(name) COLLATE "C" public.ops DESC WITH =``."""
    order = "DESC" if one.descending else ""
    nulls = "" if one.nulls_first == one.descending else "NULLS FIRST" if one.nulls_first else "NULLS LAST"
    return _join(
        one_line(one.expression),
        f"COLLATE {one.collation}" if one.collation else None,
        one.opclass,
        f"({', '.join(one.opclass_options)})" if one.opclass_options else None,
        order,
        nulls,
        f"WITH {one.operator}" if one.operator else None,
    )


def _keys(keys: tuple[IndexKey, ...]) -> str:
    return "(" + ", ".join(map(index_key, keys)) + ")"


def exclusion(one: Exclusion) -> str:
    """``EXCLUDE USING gist (room WITH =, during WITH &&)``."""
    return _join(
        f"EXCLUDE USING {one.method} {_keys(one.keys)}",
        f"INCLUDE {_listed(one.include)}" if one.include else None,
        _options(one.options),
        f"WHERE {_bracketed(one.predicate)}" if one.predicate else None,
        _timing(one),
    )


def index(one: Index) -> str:
    """``UNIQUE INDEX USING btree (a, b DESC) WHERE (…)``."""
    return _join(
        "UNIQUE INDEX" if one.unique else "INDEX",
        f"USING {one.method} {_keys(one.keys)}",
        f"INCLUDE {_listed(one.include)}" if one.include else None,
        "NULLS NOT DISTINCT" if one.nulls_not_distinct else None,
        _options(one.options),
        f"WHERE {_bracketed(one.predicate)}" if one.predicate else None,
        None if one.valid else "INVALID",
    )


def _options(options: tuple[str, ...]) -> str | None:
    return f"WITH ({one_line(', '.join(options))})" if options else None


def trigger(one: Trigger) -> str:
    """``BEFORE UPDATE OF a FOR EACH ROW EXECUTE FUNCTION f()``."""
    events = [
        f"UPDATE OF {', '.join(map(identifier, one.update_columns))}"
        if event == "UPDATE" and one.update_columns
        else event
        for event in one.events
    ]
    tables = _join(
        f"OLD TABLE AS {identifier(one.old_table)}" if one.old_table else None,
        f"NEW TABLE AS {identifier(one.new_table)}" if one.new_table else None,
    )
    return _join(
        "CONSTRAINT TRIGGER" if one.constraint else "TRIGGER",
        one.timing,
        " OR ".join(events),
        _timing(one),
        f"REFERENCING {tables}" if tables else None,
        f"FOR EACH {one.level}",
        f"WHEN {_bracketed(one.when)}" if one.when else None,
        f"EXECUTE FUNCTION {_shown(one.function)}({one_line(', '.join(map(repr, one.arguments)))})",
        None if one.enabled == "ORIGIN" else f"({one.enabled})",
    )


def policy(one: Policy) -> str:
    """``POLICY FOR SELECT TO app USING (…)``."""
    return _join(
        "POLICY" if one.permissive else "RESTRICTIVE POLICY",
        f"FOR {one.command} TO {', '.join(one.roles)}",
        f"USING {_bracketed(one.using)}" if one.using else None,
        f"WITH CHECK {_bracketed(one.check)}" if one.check else None,
    )


def rule(one: Rule) -> str:
    """The rule's definition."""
    return _join(one_line(one.definition), None if one.enabled == "ORIGIN" else f"({one.enabled})")


def table(one: Table) -> str:
    """``TABLE messages PARTITION BY …``, without what has promises of its own."""
    return _join(
        "UNLOGGED TABLE" if one.unlogged else "FOREIGN TABLE" if one.foreign_server else "TABLE",
        _shown(one.name),
        f"PARTITION OF {_shown(one.partition_of)}" if one.partition_of else None,
        one_line(one.partition_bound) if one.partition_bound else None,
        f"INHERITS ({', '.join(map(_shown, one.inherits))})" if one.inherits else None,
        f"PARTITION BY {one_line(one.partition_key)}" if one.partition_key else None,
        f"SERVER {identifier(one.foreign_server)}" if one.foreign_server else None,
        _options(one.options),
    )


def row_security(one: Table) -> str:
    """``ROW LEVEL SECURITY``."""
    return _join("FORCE" if one.force_row_security else None, "ROW LEVEL SECURITY")


def view(one: View) -> str:
    """``VIEW v AS …``."""
    return _join(
        "MATERIALIZED VIEW" if one.materialized else "VIEW",
        _shown(one.name),
        _options(one.options),
        f"AS {one_line(one.definition)}",
        f"WITH {one.check_option} CHECK OPTION" if one.check_option else None,
    )


def enum(one: Enum) -> str:
    """``ENUM ('A', 'B')``."""
    return "ENUM (" + ", ".join("'" + one_line(label).replace("'", "''") + "'" for label in one.labels) + ")"


def domain(one: Domain) -> str:
    """``DOMAIN AS text NOT NULL``, without its checks."""
    return _join(
        f"DOMAIN AS {one.type}",
        f"COLLATE {one.collation}" if one.collation else None,
        "NOT NULL" if one.not_null else None,
        f"DEFAULT {one_line(one.default)}" if one.default is not None else None,
    )


def composite(one: Composite) -> str:
    """``TYPE AS (street text, …)``."""
    return f"TYPE AS ({', '.join(map(column_type, one.attributes))})"


def range_type(one: RangeType) -> str:
    """``RANGE (subtype = …)``."""
    options = {
        "subtype": one.subtype,
        "multirange_type_name": qualified(one.multirange),
        "subtype_opclass": one.opclass,
        "collation": one.collation,
        "canonical": one.canonical,
        "subtype_diff": one.difference,
    }
    return "RANGE (" + ", ".join(f"{name} = {value}" for name, value in options.items() if value) + ")"


def collation(one: Collation) -> str:
    """``COLLATION (provider = icu, locale = 'und', deterministic = false)``."""
    options = [f"provider = {one.provider}", f"locale = '{one_line(one.locale)}'"]
    options += [f"ctype = '{one_line(one.ctype)}'"] if one.ctype is not None else []
    options += [] if one.deterministic else ["deterministic = false"]
    options += [f"rules = '{one_line(one.rules)}'"] if one.rules is not None else []
    return f"COLLATION ({', '.join(options)})"


def sequence(one: Sequence) -> str:
    """``SEQUENCE AS bigint START 1 …``."""
    return _join(
        f"{'UNLOGGED ' if one.unlogged else ''}SEQUENCE AS {one.type} START {one.start} INCREMENT {one.increment}",
        f"MINVALUE {one.min_value} MAXVALUE {one.max_value} CACHE {one.cache}",
        "CYCLE" if one.cycle else None,
        f"OWNED BY {_shown(one.owned_by[0])}.{identifier(one.owned_by[1])}" if one.owned_by else None,
    )


def function(one: Function) -> str:
    """``FUNCTION f(a integer) RETURNS integer LANGUAGE sql …``, without its body."""
    return _join(
        f"{one.kind} {_shown(one.name)}({one_line(one.signature)})",
        f"RETURNS {one_line(one.returns)}" if one.returns is not None else None,
        f"LANGUAGE {one.language} {one.volatility}",
        f"PARALLEL {one.parallel}",
        "STRICT" if one.strict else None,
        "LEAKPROOF" if one.leakproof else None,
        "SECURITY DEFINER" if one.security_definer else None,
        f"COST {one.cost}" if one.cost is not None else None,
        f"ROWS {one.rows}" if one.rows is not None else None,
        *(f"SET {one_line(setting)}" for setting in one.settings),
    )


def grant(one: Grant) -> str:
    """``GRANT SELECT ON messages TO app``."""
    verb, preposition = ("REVOKE", "FROM") if one.revoked else ("GRANT", "TO")
    kind = "" if one.kind in ("TABLE", "COLUMN", "DATABASE") else f"{one.kind} "
    where = "DATABASE" if one.kind == "DATABASE" else one_line(one.object)
    return _join(
        f"{verb} {', '.join(one.privileges)} ON {kind}{where} {preposition} {identifier(one.grantee)}"
        if one.grantee != "PUBLIC"
        else f"{verb} {', '.join(one.privileges)} ON {kind}{where} {preposition} PUBLIC",
        f"WITH GRANT OPTION FOR {', '.join(one.grantable)}" if one.grantable else None,
    )


def default_privilege(one: DefaultPrivilege) -> str:
    """``ALTER DEFAULT PRIVILEGES IN SCHEMA a GRANT SELECT ON TABLES TO app``."""
    verb, preposition = ("REVOKE", "FROM") if one.revoked else ("GRANT", "TO")
    return _join(
        "ALTER DEFAULT PRIVILEGES",
        f"IN SCHEMA {identifier(one.namespace)}" if one.namespace is not None else None,
        f"{verb} {', '.join(one.privileges)} ON {one.kind}S {preposition}",
        "PUBLIC" if one.grantee == "PUBLIC" else identifier(one.grantee),
        f"WITH GRANT OPTION FOR {', '.join(one.grantable)}" if one.grantable else None,
    )
