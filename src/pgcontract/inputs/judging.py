"""What a statement means for more than its own database: roles, databases, extensions, the session's encoding.

The parser says it, never the text: a role's name in a string or a comment is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pgcontract.sql import SqlError, deparse, parse

# what no statement about roles, databases or extensions begins with, and what each has in it
_ROWS: Final = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|SELECT|WITH|MERGE|COPY|VALUES|DO)\b", re.IGNORECASE)
_MATTERS: Final = re.compile(
    r"\b(?:ROLE|USER|GROUP|OWNER|OWNED|GRANT|REVOKE|AUTHORIZATION|POLICY|PRIVILEGES|DATABASE|EXTENSION|TABLESPACE|SYSTEM"
    r"|SET|NAMES)\b",
    re.IGNORECASE,
)
_STRING_ROLE: Final = 1  # ROLESPEC_CSTRING: a name, and not CURRENT_USER or PUBLIC
_OF_ROLES: Final = frozenset(
    {"create_role_stmt", "alter_role_stmt", "alter_role_set_stmt", "drop_role_stmt", "grant_role_stmt"}
)
_OF_CLUSTER: Final = frozenset(
    {"alter_system_stmt", "create_table_space_stmt", "drop_table_space_stmt", "alter_table_space_options_stmt"}
)
_OF_PRIVILEGES: Final = frozenset({"grant_stmt", "alter_default_privileges_stmt", "alter_owner_stmt"})
_NAMED_DATABASE: Final = frozenset({"alter_database_stmt", "alter_database_set_stmt"})
_OBJECT_DATABASE: Final = "OBJECT_DATABASE"
# where the name stands of what a statement makes or sets
_NAMES: Final = {
    "create_role_stmt": "role",
    "createdb_stmt": "dbname",
    "create_extension_stmt": "extname",
    "variable_set_stmt": "name",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one statement is about. ``kind`` is the parser's own name for it (``create_extension_stmt``).

    ``roles`` must be there for it; ``made`` is the role, database or extension that it makes. ``privileges_only``:
    who owns what, and who may do what, is all that it says. ``about_database``: it says something of a whole database.
    """

    kind: str
    roles: frozenset[str] = frozenset()
    made: str = ""
    privileges_only: bool = False
    about_database: bool = False
    tree: Any = field(default=None, compare=False, repr=False)

    @property
    def of_roles(self) -> bool:
        """Whether it makes, changes or drops a role of the whole cluster."""
        return self.kind in _OF_ROLES

    @property
    def of_cluster(self) -> bool:
        """Whether it is about the server, and no database of it."""
        return self.kind in _OF_CLUSTER

    def for_database(self, name: str) -> str:
        """The statement, said of the database of that name."""
        node = getattr(self.tree.stmts[0].stmt, self.kind)
        if self.kind in _NAMED_DATABASE:
            node.dbname = name
        elif self.kind == "alter_role_set_stmt":
            node.database = name
        elif self.kind == "grant_stmt":
            node.objects[0].string.sval = name
        else:
            node.object.string.sval = name
        return deparse(self.tree)


_PLAIN: Final = Meaning("")


def meaning_of(text: str) -> Meaning:
    """What a statement is about; of one that this parser cannot read, nothing is known."""
    if _ROWS.match(text) or not _MATTERS.search(text):
        return _PLAIN
    try:
        tree = parse(text)
    except SqlError:
        return _PLAIN
    if len(tree.stmts) != 1:
        return _PLAIN
    kind = tree.stmts[0].stmt.WhichOneof("node") or ""
    node = getattr(tree.stmts[0].stmt, kind)
    made = _made(kind, node)
    roles = frozenset(_roles(node)) | _spelt_roles(kind, node)
    return Meaning(
        kind,
        roles - {"none", "default", ""},
        made,
        kind in _OF_PRIVILEGES or (kind == "alter_table_stmt" and _only_owner(node)),
        _about_database(kind, node),
        tree,
    )


def _made(kind: str, node: Any) -> str:
    if kind == "comment_stmt":
        return node.object.string.sval if _kind_of_object(node, "objtype") == "OBJECT_EXTENSION" else ""
    name = _NAMES.get(kind)
    return getattr(node, name) if name else ""


def _spelt_roles(kind: str, node: Any) -> frozenset[str]:
    """Roles that stand in the tree as plain texts."""
    if kind == "grant_role_stmt":
        return frozenset(role.access_priv.priv_name for role in node.granted_roles)
    if kind == "variable_set_stmt" and node.name in {"role", "session_authorization"}:
        return frozenset(argument.a_const.sval.sval for argument in node.args if argument.HasField("a_const"))
    return frozenset()


def _about_database(kind: str, node: Any) -> bool:
    if kind in {"grant_stmt", "comment_stmt"}:
        return _kind_of_object(node, "objtype") == _OBJECT_DATABASE
    if kind == "alter_owner_stmt":
        return _kind_of_object(node, "object_type") == _OBJECT_DATABASE
    if kind == "alter_role_set_stmt":
        return bool(node.database)
    return kind in _NAMED_DATABASE


def _kind_of_object(node: Any, name: str) -> str:
    return str(node.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number[getattr(node, name)].name)


def _only_owner(node: Any) -> bool:
    commands = [command.alter_table_cmd for command in node.cmds]
    return all(_kind_of_object(command, "subtype") == "AT_ChangeOwner" for command in commands)


def _roles(message: Any) -> Iterator[str]:
    """The names of roles anywhere in a tree."""
    if message.DESCRIPTOR.name == "RoleSpec":
        if message.roletype == _STRING_ROLE:
            yield message.rolename
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for one in value if not hasattr(value, "DESCRIPTOR") else (value,):
            yield from _roles(one)
