"""Schema systems: a folder with ``system.toml``, a folder of numbered migrations, or one ``.sql`` file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pgcontract.errors import UsageError
from pgcontract.names import DEFAULT_NAMESPACE, Name

FILE: Final = "system.toml"
DEFAULT_TRACKING_TABLE: Final = Name(DEFAULT_NAMESPACE, "migrations")

_TEXTS: Final = ("name", "tracking_table", "migrations", "init", "seed", "contract", "queries", "invariants")
_KEYS: Final = (*_TEXTS, "extensions", "roles", "invariant_seconds", "validate", "populate", "bench")
DEFAULT_INVARIANT_SECONDS: Final = 10
# changes when the way in which a database is made from these files does
_KEY_FORMAT: Final = b"2"


@dataclass(frozen=True, slots=True)
class System:
    """One schema system. Exactly one of ``migrations`` (a folder) and ``sql_file`` is there.

    ``roles`` maps the name that the scripts know a role by to the role's name on an own server. ``contract`` need
    not exist; ``queries`` and ``invariants`` are None where there is no such folder. An invariant may take
    ``invariant_seconds`` to answer. ``validate`` holds why a rule of migrations is switched off, by its name, or True
    for one that is switched on. ``populate`` holds expressions by ``table.column``, and numbers of rows by table;
    ``bench`` the rows of each table for one that ``bench plans --rows`` asks for.
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

    @staticmethod
    def load(path: Path) -> System:
        """What stands at the path. Raises UsageError: nothing there, not a system, a wrong or unknown setting."""
        if path.is_dir():
            if (path / FILE).is_file() or (path / "migrations").is_dir():
                return _folder(path)
            if any(path.glob("[0-9]*.sql")):
                return System(_folder_name(path), path, path, path / "contract.toml")
        elif path.is_file() and path.suffix == ".sql":
            return System(path.stem, path.parent, None, path.with_suffix(".contract.toml"), sql_file=path)
        raise UsageError(
            "There is no schema system at this path" if path.exists() else "There is nothing at this path",
            where=str(path),
            remedy=f"name a folder with {FILE} or migrations/, a folder of files like 001-name.sql, or one .sql file",
        )

    def key(self) -> str:
        """The hash of everything that makes the database: file names and texts, role names, tracking table."""
        digest = hashlib.sha256(_KEY_FORMAT)
        parts = [str(self.tracking_table), *(f"{name}={role}" for name, role in sorted(self.roles.items()))]
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
            return (*self.init, self.sql_file)
        assert self.migrations is not None
        return (*self.init, *sorted(self.migrations.glob("*.sql")))


def configured(folder: Path) -> list[Path]:
    """The systems that ``[tool.pgcontract] systems`` of the folder's pyproject.toml names, in its order.

    Empty where there is no such file or setting. Raises UsageError where one of them is not as it must be.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        return []
    tool = _toml(file).get("tool", {})
    names = tool.get("pgcontract", {}).get("systems", []) if isinstance(tool, dict) else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _wrong(file, "tool.pgcontract.systems", 'a list of paths: ["schema/shop"]')
    for name in names:
        if not (folder / name).exists():
            raise UsageError(
                "A configured system is missing",
                where=str(file),
                seen=name,
                remedy="correct [tool.pgcontract] systems",
            )
    return [folder / name for name in names]


def _add(digest: Any, part: bytes) -> None:
    # with its length, so that no two lists of parts run into the same bytes
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)


def _folder_name(path: Path) -> str:
    name = path.resolve().name
    return path.resolve().parent.name if name == "migrations" else name


def _folder(root: Path) -> System:
    file = root / FILE
    settings = _read(file) if file.is_file() else {}
    roles = settings.get("roles", {})
    extensions = settings.get("extensions", [])
    if not isinstance(roles, dict) or not all(isinstance(role, str) and role for role in roles.values()):
        raise _wrong(file, "roles", 'a table of names: app = "shop_app"')
    if not isinstance(extensions, list) or not all(isinstance(extension, str) for extension in extensions):
        raise _wrong(file, "extensions", "a list of names")
    seconds = settings.get("invariant_seconds", DEFAULT_INVARIANT_SECONDS)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
        raise _wrong(file, "invariant_seconds", f"a number of seconds: {DEFAULT_INVARIANT_SECONDS}")
    populate = settings.get("populate", {})
    if not isinstance(populate, dict) or not all(_populates(key, value) for key, value in populate.items()):
        raise _wrong(file, "populate", 'a table: "messages.content" = "an SQL expression in n", or plans = 0')
    bench = settings.get("bench", {})
    if not isinstance(bench, dict) or not all(type(share) in {int, float} and share >= 0 for share in bench.values()):
        raise _wrong(file, "bench", "a table of shares of the rows that are asked for: messages = 1, users = 0.05")
    init = _folder_of(root, settings, "init")
    return System(
        name=settings.get("name", _folder_name(root)),
        root=root,
        migrations=_existing(root, settings, "migrations", required=True),
        contract=root / settings.get("contract", "contract.toml"),
        init=tuple(sorted(init.glob("*.sql"))) if init else (),
        seed=_existing(root, settings, "seed", default="seed.sql"),
        tracking_table=_table(settings.get("tracking_table", DEFAULT_TRACKING_TABLE.name)),
        extensions=tuple(extensions),
        roles=dict(roles),
        queries=_folder_of(root, settings, "queries"),
        invariants=_folder_of(root, settings, "invariants"),
        invariant_seconds=seconds,
        validate=_rules(file, settings.get("validate", {})),
        populate=dict(populate),
        bench=dict(bench),
    )


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
