"""Schema systems: a folder with ``system.toml``, a folder of migrations in any convention, or one ``.sql`` file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pgcontract.errors import UsageError
from pgcontract.names import DEFAULT_NAMESPACE, Name

if TYPE_CHECKING:
    from pgcontract.inputs.conventions import Convention
    from pgcontract.values.given import Given

FILE: Final = "system.toml"
# where a repository says which systems it has: the second one where there is no Python
PYPROJECT: Final = "pyproject.toml"
CONFIGURATION: Final = "pgcontract.toml"
DEFAULT_TRACKING_TABLE: Final = Name(DEFAULT_NAMESPACE, "migrations")

_TEXTS: Final = ("name", "tracking_table", "migrations", "schema", "init", "seed", "contract", "queries", "invariants")
_KEYS: Final = (
    *_TEXTS,
    "extensions",
    "without",
    "apply",
    "roles",
    "invariant_seconds",
    "validate",
    "populate",
    "bench",
    "models",
    "secrets",
    "values",
)
DEFAULT_INVARIANT_SECONDS: Final = 10
# changes when the way in which a database is made from these files does
_KEY_FORMAT: Final = b"3"
# in whose name the processes of one run know each other, where a command makes the database
_RUN: Final = "PGCONTRACT_RUN"
# where other tools keep migrations, and dumps of the schema, below a project's folder
_FOLDERS: Final = ("db/migrations", "db/migration", "src/main/resources/db/migration")
_DUMPS: Final = ("structure.sql", "db/structure.sql")


@dataclass(frozen=True, slots=True)
class System:
    """One schema system. Exactly one of ``migrations``, ``folder``, ``sql_file`` and ``apply`` is there.

    ``migrations`` is a folder of ours, which ``migrate`` and ``rehearse`` work on; ``folder`` one in the ``convention``
    of another tool. A folder whose files bear our names and have no rollback sections is both, until it has one.
    ``apply`` is a command that makes the schema. ``without`` are extensions that are left out.

    ``roles`` maps the name that the scripts know a role by to the role's name on an own server. ``contract`` need
    not exist; ``queries`` and ``invariants`` are None where there is no such folder. An invariant may take
    ``invariant_seconds`` to answer. ``validate`` holds why a rule of migrations is switched off, by its name, or True
    for one that is switched on. ``populate`` holds expressions by ``table.column``, and numbers of rows by table;
    ``bench`` the rows of each table for one that ``bench plans --rows`` asks for; ``models`` what classes are
    called, by tables and types, and ``secrets`` the columns that their reprs do not show. ``values`` hold what columns
    and tables are to be given, by their names.
    """

    name: str
    root: Path
    migrations: Path | None
    contract: Path
    sql_file: Path | None = None
    init: tuple[Path, ...] = ()
    seed: Path | None = None
    tracking_table: Name = DEFAULT_TRACKING_TABLE
    extensions: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    queries: Path | None = None
    invariants: Path | None = None
    invariant_seconds: int = DEFAULT_INVARIANT_SECONDS
    validate: Mapping[str, str | bool] = field(default_factory=dict)
    populate: Mapping[str, str | int] = field(default_factory=dict)
    bench: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    values: Mapping[str, Given] = field(default_factory=dict)
    folder: Path | None = None
    convention: Convention | None = None
    apply: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @staticmethod
    def load(path: Path) -> System:
        """What stands at the path. Raises UsageError: nothing there, not a system, a wrong or unknown setting."""
        if path.is_dir():
            found = _at(path)
            if found is not None:
                return found
        elif path.is_file() and path.suffix == ".sql":
            return _one_file(path)
        raise UsageError(
            "There is no schema system at this path" if path.exists() else "There is nothing at this path",
            where=str(path),
            remedy=f"name a folder with {FILE} or migrations/, a folder of files like 001-name.sql, or one .sql file; "
            "`pgcontract init` looks for them",
        )

    def not_ours(self) -> UsageError:
        """The error for what works on migrations of ours alone."""
        if self.sql_file is not None:
            return UsageError(
                "One file is no folder of migrations",
                where=str(self.sql_file),
                remedy="name the folder that holds them",
            )
        tool = self.convention.name if self.convention is not None else "a command"
        return UsageError(
            f"These migrations are applied by {tool}, and not by pgcontract",
            where=str(self.folder or self.root),
            remedy="freeze, diff, verify and mutate read them; apply and undo them with their own tool",
        )

    def key(self) -> str:
        """The hash of everything that makes the database: file names and texts, role names, tracking table.

        What a command reads is not known: its databases are those of one run.
        """
        digest = hashlib.sha256(_KEY_FORMAT)
        parts = [str(self.tracking_table), *(f"{name}={role}" for name, role in sorted(self.roles.items()))]
        parts += [*self.apply, *self.without]
        if self.apply:
            parts.append(os.environ.setdefault(_RUN, os.urandom(8).hex()))
        for part in parts:
            _add(digest, part.encode())
        for path in self.sources():
            _add(digest, path.name.encode())
            try:
                _add(digest, path.read_bytes().replace(b"\r\n", b"\n"))
            except OSError as error:
                raise UsageError(
                    "A file of the schema system cannot be read",
                    where=str(path),
                    seen=error.strerror,
                    remedy="check its permissions",
                ) from error
        return digest.hexdigest()

    def sources(self) -> tuple[Path, ...]:
        """The files that make the database, in the order in which they run."""
        if self.sql_file is not None:
            from pgcontract.inputs.psql import files_of  # noqa: PLC0415 - `migrate` at every deployment does without

            return (*self.init, *files_of(self.sql_file))
        if self.folder is not None and self.convention is not None:
            from pgcontract.inputs.conventions import steps  # noqa: PLC0415 - as above

            return (*self.init, *(step.path for step in steps(self.folder, self.convention)))
        if self.migrations is None:
            return self.init
        return (*self.init, *sorted(self.migrations.glob("*.sql")))

    @property
    def baseline(self) -> Path:
        """Where promises stand that are known to be broken or unproven: beside the contract; it need not exist."""
        stem = self.contract.name.removesuffix(".toml").removesuffix("contract")
        return self.contract.with_name(f"{stem if not stem or stem.endswith('.') else f'{stem}.'}baseline.toml")

    @property
    def kept(self) -> bool:
        """Whether a database that was made from it serves another run: all that makes it is known."""
        return not self.apply


def configured(folder: Path) -> list[Path]:
    """The systems that the folder's pgcontract.toml names, or ``[tool.pgcontract]`` of its pyproject.toml, in order.

    Empty where there is no such file or setting. Raises UsageError where one of them is not as it must be.
    """
    file = folder / CONFIGURATION
    if file.is_file():
        settings: Any = _toml(file)
    else:
        file = folder / PYPROJECT
        tool = _toml(file).get("tool", {}) if file.is_file() else {}
        settings = tool.get("pgcontract", {}) if isinstance(tool, dict) else {}
    names = settings.get("systems", []) if isinstance(settings, dict) else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        key = "systems" if file.name == CONFIGURATION else "tool.pgcontract.systems"
        raise _wrong(file, key, 'a list of paths: ["schema/shop"]')
    for name in names:
        if not (folder / name).exists():
            raise UsageError(
                "A configured system is missing",
                where=str(file),
                seen=name,
                remedy="correct its list of systems",
            )
    return [folder / name for name in names]


def _add(digest: Any, part: bytes) -> None:
    # with its length, so that no two lists of parts run into the same bytes
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)


def _folder_name(path: Path) -> str:
    folder = path.resolve()
    return folder.parent.name if folder.name in {"migrations", "migration"} else folder.name


def _one_file(path: Path) -> System:
    return System(path.stem, path.parent, None, path.with_suffix(".contract.toml"), sql_file=path)


def _at(path: Path) -> System | None:
    """The system that a folder is, or holds where other tools have it."""
    if (path / FILE).is_file() or (path / "migrations").is_dir():
        return _folder(path)
    for place in (*(path / name for name in _FOLDERS), path):
        if place.is_dir():
            found = _in_convention(System(_folder_name(path), path, place, path / "contract.toml"))
            if found is not None:
                return found
    dump = next((path / name for name in _DUMPS if (path / name).is_file()), None)
    if dump is not None:
        return replace(_one_file(dump), name=_folder_name(path))
    _refuse_programs(path)
    return None


def _in_convention(system: System, *, tracked: bool = False) -> System | None:
    """The system with its folder of migrations as what its files are; None where they are none.

    ``tracked``: its tracking table was named.
    """
    assert system.migrations is not None
    if _plainly_ours(system.migrations):
        return system
    from pgcontract.inputs.conventions import OWN, PLAIN, ours_by_name, recognise  # noqa: PLC0415 - seldom needed

    convention = recognise(system.migrations)
    if convention is None:
        return None
    if convention.name == OWN:
        return system
    ours = convention.name == PLAIN and ours_by_name(system.migrations)
    tracking = system.tracking_table
    if convention.tracking is not None and not tracked:
        tracking = Name(DEFAULT_NAMESPACE, convention.tracking)
    return replace(
        system,
        migrations=system.migrations if ours else None,
        folder=system.migrations,
        convention=convention,
        tracking_table=tracking,
    )


def _plainly_ours(folder: Path) -> bool:
    """Whether the folder's first file has a rollback section: `migrate` at every deployment looks no further."""
    first = min(folder.glob("[0-9]*-*.sql"), default=None)
    try:
        return first is not None and b"\n-- ROLLBACK" in first.read_bytes()
    except OSError:
        return False


def _refuse_programs(folder: Path) -> None:
    """Raises UsageError where there are migrations that only their own tool can run."""
    from pgcontract.inputs.conventions import other_language  # noqa: PLC0415 - as above

    program = other_language(folder) or next(
        (found for name in ("migrations", "db", "alembic") if (found := other_language(folder / name))), None
    )
    if program is not None:
        raise UsageError(
            "These migrations are programs, which only their own tool can run",
            where=str(program),
            remedy=f'write {FILE} with the command that applies them: apply = "alembic upgrade head"',
        )


def _folder(root: Path) -> System:
    file = root / FILE
    settings = _read(file) if file.is_file() else {}
    roles = settings.get("roles", {})
    if not isinstance(roles, dict) or not all(isinstance(role, str) and role for role in roles.values()):
        raise _wrong(file, "roles", 'a table of names: app = "shop_app"')
    seconds = settings.get("invariant_seconds", DEFAULT_INVARIANT_SECONDS)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
        raise _wrong(file, "invariant_seconds", f"a number of seconds: {DEFAULT_INVARIANT_SECONDS}")
    populate = settings.get("populate", {})
    if not isinstance(populate, dict) or not all(_populates(key, value) for key, value in populate.items()):
        raise _wrong(file, "populate", 'a table: "messages.content" = "an SQL expression in n", or plans = 0')
    bench = settings.get("bench", {})
    if not isinstance(bench, dict) or not all(type(share) in {int, float} and share >= 0 for share in bench.values()):
        raise _wrong(file, "bench", "a table of shares of the rows that are asked for: messages = 1, users = 0.05")
    models = settings.get("models", {})
    if not isinstance(models, dict) or not all(
        isinstance(name, str) and name.isidentifier() for name in models.values()
    ):
        raise _wrong(file, "models", 'a table of classes\' names: people = "Person"')
    apply = _command(file, settings.get("apply", []))
    schema = _existing(root, settings, "schema") if "schema" in settings else None
    if sum((bool(apply), schema is not None, "migrations" in settings)) > 1:
        raise _wrong(file, "apply", "one of apply, schema and migrations")
    whole = bool(apply) or schema is not None
    init = _folder_of(root, settings, "init")
    system = System(
        name=settings.get("name", _folder_name(root)),
        root=root,
        migrations=None if whole else _existing(root, settings, "migrations", required=True),
        sql_file=schema,
        apply=apply,
        without=_names(file, settings, "without"),
        contract=root / settings.get("contract", "contract.toml"),
        init=tuple(sorted(init.glob("*.sql"))) if init else (),
        seed=_existing(root, settings, "seed", default="seed.sql"),
        tracking_table=_table(settings.get("tracking_table", DEFAULT_TRACKING_TABLE.name)),
        extensions=_names(file, settings, "extensions"),
        roles=dict(roles),
        queries=_folder_of(root, settings, "queries"),
        invariants=_folder_of(root, settings, "invariants"),
        invariant_seconds=seconds,
        validate=_rules(file, settings.get("validate", {})),
        populate=dict(populate),
        bench=dict(bench),
        models=dict(models),
        secrets=_names(file, settings, "secrets"),
        values=_given(file, settings["values"]) if "values" in settings else {},
    )
    return _as_written(system, tracked="tracking_table" in settings)


def _as_written(system: System, *, tracked: bool) -> System:
    """The system, with its migrations as what they are. Raises UsageError where only their own tool can run them."""
    if system.migrations is None or not system.migrations.is_dir():
        return system
    found = _in_convention(system, tracked=tracked)
    if found is None:
        _refuse_programs(system.migrations)
    return found or system


def _names(file: Path, settings: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = settings.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _wrong(file, key, "a list of names")
    return tuple(names)


def _command(file: Path, given: object) -> tuple[str, ...]:
    """A command's words, as a shell would cut them; or a list of them."""
    import shlex  # noqa: PLC0415 - hardly any system has a command

    try:
        words = shlex.split(given) if isinstance(given, str) else given
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or (given and not words):
        raise _wrong(file, "apply", 'a command: "alembic upgrade head", or the list of its words')
    return tuple(words)


def _rules(file: Path, settings: object, prefix: str = "") -> dict[str, str | bool]:
    """The switches of ``[validate]``; those of ``[validate.squawk]`` are called ``squawk.RULE``."""
    found: dict[str, str | bool] = {}
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if isinstance(value, dict) and not prefix:
            found |= _rules(file, value, f"{key}.")
        elif value is True or (isinstance(value, str) and value.strip()):
            found[prefix + key] = value
        else:
            raise _wrong(file, f"validate.{prefix}{key}", "the reason why the rule is switched off, or true for on")
    if not isinstance(settings, dict):
        raise _wrong(file, "validate", 'a table: named-constraints = "why it is switched off"')
    return found


def _populates(key: str, value: object) -> bool:
    """Whether it is an expression for a column, or a number of rows for a table."""
    if isinstance(value, str):
        return bool(value) and "." in key
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _given(file: Path, settings: object) -> dict[str, Given]:
    """What ``[values]`` gives for columns and tables."""
    from pgcontract.values.given import SHAPE, given  # noqa: PLC0415 - `migrate` at every deployment does without

    if not isinstance(settings, dict):
        raise _wrong(file, "values", 'a table: "users.country" = { examples = ["DE", "FR"] }')
    found: dict[str, Given] = {}
    for key, value in settings.items():
        one = given(value)
        if one is None:
            raise _wrong(file, f'values."{key}"', SHAPE)
        found[key] = one
    return found


def _toml(file: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - a folder of migrations has no such file, and its commands are to start fast

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "The file cannot be read", where=str(file), remedy="check its encoding and permissions"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError("The file is no TOML", where=str(file), seen=str(error), remedy="correct it") from error


def _read(file: Path) -> dict[str, Any]:
    settings = _toml(file)
    unknown = sorted(set(settings) - set(_KEYS))
    if unknown:
        raise UsageError(
            "Unknown settings", where=str(file), seen=", ".join(unknown), remedy=f"known are {', '.join(_KEYS)}"
        )
    for key in _TEXTS:
        if key in settings and (not isinstance(settings[key], str) or not settings[key]):
            raise _wrong(file, key, "a text")
    return settings


def _wrong(file: Path, key: str, expected: str) -> UsageError:
    return UsageError(f"The setting {key} is not as it must be", where=str(file), remedy=f"write {expected}")


def _existing(
    root: Path, settings: Mapping[str, Any], key: str, *, default: str | None = None, required: bool = False
) -> Path | None:
    path = root / str(settings.get(key, default or key))
    if path.exists():
        return path
    if key in settings or required:
        raise UsageError(
            f"The system's {key} is missing", where=str(path), remedy=f"create it, or correct {root / FILE}"
        )
    return None


def _folder_of(root: Path, settings: Mapping[str, Any], key: str) -> Path | None:
    path = _existing(root, settings, key)
    if path is not None and not path.is_dir():
        raise UsageError(f"The system's {key} is no folder", where=str(path), remedy="name a folder")
    return path


def _table(text: str) -> Name:
    # no dots within names: nobody names a tracking table so
    namespace, _, name = text.rpartition(".")
    return Name(namespace or DEFAULT_NAMESPACE, name)
