"""Schema systems: what stands at a path, and what is refused about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcontract.errors import UsageError
from pgcontract.model import Name
from pgcontract.system import System, configured

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A system's folder with one migration."""
    (tmp_path / "shop" / "migrations").mkdir(parents=True)
    (tmp_path / "shop" / "migrations" / "001-a.sql").write_text("SELECT 1;\n-- ROLLBACK\n-- none\n")
    return tmp_path / "shop"


def test_a_system_says_what_its_folder_says() -> None:
    """social_selling: settings from system.toml, everything else from where it lies."""
    system = System.load(ROOT / "schema" / "social_selling")
    assert system.name == "social_selling"
    assert system.tracking_table == Name("public", "migrations")
    assert system.extensions == ("uuid-ossp", "pgcrypto", "pg_trgm", "pg_stat_statements")
    assert system.roles == {"app": "social_selling_app"}
    assert [path.name for path in system.init] == ["01-extensions.sql", "02-users.sql"]
    assert system.seed == system.root / "seed.sql"
    assert system.contract == system.root / "contract.toml"
    assert (system.queries, system.invariants) == (system.root / "queries", system.root / "invariants")
    assert len(system.sources()) == 15


def test_a_folder_of_migrations_is_a_system(shop: Path) -> None:
    """Its name is its parent's where it is called `migrations`."""
    system = System.load(shop / "migrations")
    assert (system.name, system.migrations) == ("shop", shop / "migrations")
    assert (system.init, system.seed, dict(system.roles)) == ((), None, {})


def test_one_file_is_a_system(shop: Path) -> None:
    """Its contract lies beside it, under its name."""
    (shop / "all.sql").write_text("CREATE TABLE t ();")
    system = System.load(shop / "all.sql")
    assert (system.name, system.migrations, system.sql_file) == ("all", None, shop / "all.sql")
    assert system.contract == shop / "all.contract.toml"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("colour = 'red'", "Unknown settings"),
        ("name = 3", "name"),
        ("roles = ['app']", "roles"),
        ("[roles]\napp = ''", "roles"),
        ("extensions = 'pgcrypto'", "extensions"),
        ("seed = 'absent.sql'", "seed"),
        ("init = 'absent'", "init"),
        ("queries = 'system.toml'", "queries"),
        ("migrations = 'absent'", "migrations"),
        ("name = ", "no TOML"),
    ],
)
def test_a_setting_that_is_wrong_is_named(shop: Path, settings: str, said: str) -> None:
    """With the file, and what to do."""
    (shop / "system.toml").write_text(settings)
    with pytest.raises(UsageError) as caught:
        System.load(shop)
    assert said in caught.value.what
    assert caught.value.remedy
    assert str(shop) in (caught.value.where or "")


def test_a_tracking_table_may_stand_in_another_schema(shop: Path) -> None:
    """Written as SQL writes it."""
    (shop / "system.toml").write_text("tracking_table = 'ops.done'")
    assert System.load(shop).tracking_table == Name("ops", "done")


@pytest.mark.parametrize("name", ["absent", "absent.sql", "notes.txt", "."])
def test_a_path_that_holds_no_system_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing there, another kind of file, a folder of something else."""
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UsageError) as caught:
        System.load(tmp_path / name)
    assert caught.value.remedy


def test_the_key_changes_with_whatever_makes_the_database(shop: Path) -> None:
    """Files' names and texts, init, roles, tracking table; not line ends, and not what is only used later."""

    def key() -> str:
        return System.load(shop).key()

    first = key()
    (shop / "seed.sql").write_text("SELECT 1;")
    (shop / "queries").mkdir()
    migration = shop / "migrations" / "001-a.sql"
    migration.write_bytes(migration.read_bytes().replace(b"\n", b"\r\n"))
    assert key() == first
    seen = {first}
    migration.write_text("SELECT 2;\n-- ROLLBACK\n-- none\n")
    seen.add(key())
    migration.rename(shop / "migrations" / "001-b.sql")
    seen.add(key())
    (shop / "init").mkdir()
    (shop / "init" / "01-x.sql").write_text("SELECT 1;")
    seen.add(key())
    (shop / "system.toml").write_text("tracking_table = 'done'")
    seen.add(key())
    (shop / "system.toml").write_text("tracking_table = 'done'\n[roles]\napp = 'shop_app'")
    seen.add(key())
    assert len(seen) == 6


def test_configured_systems_come_in_their_order(shop: Path) -> None:
    """Paths are relative to pyproject.toml; without one, or without the setting, there are none."""
    folder = shop.parent
    assert configured(folder) == []
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert configured(folder) == []
    (folder / "pyproject.toml").write_text("[tool.pgcontract]\nsystems = ['shop', 'shop/migrations']\n")
    assert configured(folder) == [shop, shop / "migrations"]
    for wrong in ("systems = 'shop'", "systems = ['absent']"):
        (folder / "pyproject.toml").write_text(f"[tool.pgcontract]\n{wrong}\n")
        with pytest.raises(UsageError):
            configured(folder)
