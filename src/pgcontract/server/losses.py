"""What CREATE DATABASE does not copy from its template: owner, settings, privileges, comment, connection limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    import psycopg

# Variables whose value is a list of quoted names (GUC_LIST_QUOTE in PostgreSQL's guc_tables.c; extensions cannot add
# any). Given as one literal, 'a, b' would become the single name "a, b".
_NAME_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)


@dataclass(frozen=True, slots=True)
class Losses:
    """A template's properties that a clone has to be given: as read from the catalogs, in their order."""

    owner: str | None  # None: who clones
    connection_limit: int
    comment: str | None
    settings: tuple[tuple[str | None, str, str], ...]  # role or None for all, variable, value
    # None: the default privileges; else grantee (None for PUBLIC), privilege, whether with grant option
    privileges: tuple[tuple[str | None, str, bool], ...] | None

    def restore(self, connection: psycopg.Connection[Any], database: str) -> None:
        """Apply them to a clone, all or nothing."""
        statements = list(self._statements(sql.Identifier(database)))
        if not statements:
            return
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)

    def _statements(self, database: sql.Identifier) -> list[sql.Composed]:
        made: list[sql.Composed] = []
        if self.connection_limit != -1:
            made.append(
                sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(database, sql.Literal(self.connection_limit))
            )
        if self.comment is not None:
            made.append(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(self.comment)))
        for role, variable, value in self.settings:
            made += _setting(database, role, variable, value)
        if self.privileges is not None:
            made += self._grants(database)
        if self.owner is not None:  # last: granting is the owner's right, which we give away here
            made.append(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(self.owner)))
        return made

    def _grants(self, database: sql.Identifier) -> list[sql.Composed]:
        revoke = "REVOKE ALL ON DATABASE {} FROM PUBLIC"
        made = [
            sql.SQL(revoke).format(database),
            sql.SQL("REVOKE ALL ON DATABASE {} FROM CURRENT_USER").format(database),
        ]
        for grantee, privilege, grantable in self.privileges or ():
            made.append(
                sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                    # aclexplode's words for the privileges of a database, all of them key words
                    sql.SQL({"CREATE": "CREATE", "CONNECT": "CONNECT", "TEMPORARY": "TEMPORARY"}[privilege]),
                    database,
                    sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee),
                    sql.SQL(" WITH GRANT OPTION" if grantable else ""),
                )
            )
        return made


def _setting(database: sql.Identifier, role: str | None, variable: str, value: str) -> list[sql.Composed]:
    head = sql.SQL("ALTER DATABASE {} ").format(database)
    if role is not None:
        head = sql.SQL("ALTER ROLE {} IN DATABASE {} ").format(sql.Identifier(role), database)
    # a custom variable's name has a dot: each part is a name of its own
    name = sql.Identifier(*variable.split("."))
    if variable.lower() in _NAME_LISTS:
        return [
            sql.SQL("SELECT set_config({}, {}, true)").format(sql.Literal(variable), sql.Literal(value)),
            head + sql.SQL("SET {} FROM CURRENT").format(name),
        ]
    return [head + sql.SQL("SET {} TO {}").format(name, sql.Literal(value))]


def read_losses(connection: psycopg.Connection[Any], database: str) -> Losses:
    """Read a template's properties; one that is not there has none."""
    row = connection.execute(
        "SELECT d.oid, NULLIF(pg_get_userbyid(d.datdba), current_user), d.datconnlimit,"
        " shobj_description(d.oid, 'pg_database'), d.datacl IS NOT NULL FROM pg_database AS d WHERE d.datname = %s",
        [database],
    ).fetchone()
    if row is None:
        return Losses(None, -1, None, (), None)
    oid, owner, limit, comment, has_privileges = row
    settings = connection.execute(
        "SELECT r.rolname, split_part(s.line, '=', 1), substr(s.line, strpos(s.line, '=') + 1)"
        " FROM pg_db_role_setting AS c"
        " CROSS JOIN LATERAL unnest(c.setconfig) WITH ORDINALITY AS s (line, position)"
        " LEFT JOIN pg_roles AS r ON r.oid = c.setrole"
        " WHERE c.setdatabase = %s ORDER BY c.setrole ASC, s.position ASC",
        [oid],
    ).fetchall()
    privileges = connection.execute(
        "SELECT r.rolname, a.privilege_type, a.is_grantable FROM pg_database AS d"
        " CROSS JOIN LATERAL aclexplode(d.datacl) WITH ORDINALITY"
        " AS a (grantor, grantee, privilege_type, is_grantable, position)"
        " LEFT JOIN pg_roles AS r ON r.oid = a.grantee WHERE d.oid = %s ORDER BY a.position ASC",
        [oid],
    ).fetchall()
    return Losses(owner, limit, comment, tuple(settings), tuple(privileges) if has_privileges else None)
