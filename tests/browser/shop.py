"""Results of real runs for the report to show: a shop on two majors, before and after a commit that breaks things."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.test_command_verify import pgcontract

OLD, NEW = 15, 18
HOSTILE_TABLE = "<script>alert(1)</script>"
HOSTILE_COLUMN = "</script><img src=x onerror=alert(2)>"
HOSTILE_CHECK = "<!--<script>&amp;"

SOUND = f"""
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL CONSTRAINT uq_customers_email UNIQUE,
  advised_by INTEGER CONSTRAINT fk_customers_adviser REFERENCES customers (id) ON DELETE SET NULL
);
CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  price NUMERIC(10, 2) NOT NULL CONSTRAINT chk_products_price CHECK (price >= 0)
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL CONSTRAINT fk_orders_customer REFERENCES customers (id) ON DELETE CASCADE,
  quantity INTEGER NOT NULL CONSTRAINT chk_orders_quantity CHECK (quantity > 0),
  placed_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE lines (
  order_id INTEGER NOT NULL CONSTRAINT fk_lines_order REFERENCES orders (id) ON DELETE CASCADE,
  product_id INTEGER NOT NULL CONSTRAINT fk_lines_product REFERENCES products (id),
  PRIMARY KEY (order_id, product_id)
);
CREATE INDEX idx_orders_customer ON orders (customer_id, placed_at DESC);
CREATE INDEX idx_products_price ON products (price);
CREATE INDEX idx_lines_product ON lines (product_id);
CREATE TABLE "{HOSTILE_TABLE}" (
  id INTEGER PRIMARY KEY,
  "{HOSTILE_COLUMN}" TEXT NOT NULL
    CONSTRAINT "{HOSTILE_CHECK}" CHECK ("{HOSTILE_COLUMN}" IN ('<b>bold</b>', 'plain'))
);
"""
# the price on the newer major only, the quantity and the strange names on both; and the index no longer gives the order
BROKEN = (
    SOUND.replace("quantity > 0", "quantity >= 0")
    .replace("IN ('<b>bold</b>', 'plain')", "IN ('<b>bold</b>', 'plain', '<i>')")
    .replace("orders (customer_id, placed_at DESC)", "orders (customer_id)")
    + f"""
DO $$
BEGIN
  IF current_setting('server_version_num')::INTEGER >= {NEW}0000 THEN
    ALTER TABLE products DROP CONSTRAINT chk_products_price;
  END IF;
END
$$;
"""
)
QUERY = """\
-- A customer's <b>latest</b> orders.
-- uses: idx_orders_customer
-- $1 integer: the customer; from orders.customer_id
SELECT id, quantity FROM orders WHERE customer_id = $1 ORDER BY placed_at DESC LIMIT 20
"""
BENCHMARK = """\
import time
def test_sleeping(benchmark):
    benchmark.pedantic(time.sleep, args=({seconds},), rounds=12)
"""


def make_results(folder: Path) -> Path:
    """Run the commands on the shop as it was and as it is; the folder of what they wrote."""
    shop, results = folder / "shop", folder / "results"
    (shop / "migrations").mkdir(parents=True)
    (shop / "queries").mkdir()
    results.mkdir()
    (shop / "queries" / "latest_orders.sql").write_text(QUERY)
    (shop / "system.toml").write_text("[bench]\norders = 1\ncustomers = 0.005\n")
    _git(shop, "init", "--quiet")
    for name, schema in (("before", SOUND), ("after", BROKEN)):
        (shop / "migrations" / "001-shop.sql").write_text(f"{schema}\n-- ROLLBACK\nSELECT 1;\n")
        if name == "before":
            _run("freeze", shop, "--pg", str(OLD))
        _git(shop, "add", "--all")
        _git(shop, "commit", "--quiet", "--message", name)
        for major in (OLD, NEW):
            at = ["--pg", str(major), "--json"]
            _run("verify", shop, "--examples", "10", *at, results / f"{name}-verify-{major}.json")
            _run("bench", "plans", shop, "--rows", "500,5000", "--worth", *at, results / f"{name}-plans-{major}.json")
        _benchmark(folder, results / f"{name}-benchmark.json", 0.002 if name == "before" else 0.004)
    _run("mutate", shop, "--sample", "80", "--examples", "5", "--pg", str(OLD), "--json", results / "mutate.json")
    sides = ("git:HEAD~1", "git:HEAD", "--path", shop, "--pg", str(OLD), "--rows", "5000")
    _run("bench", "compare", *sides, "--json", results / "compare.json")
    return results


def _run(*words: str | Path) -> None:
    """What is broken ends with 1, and that is what the report is to show."""
    result = pgcontract(*words)
    assert result.returncode in {0, 1}, result.stdout + result.stderr


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True)


def _benchmark(folder: Path, record: Path, seconds: float) -> None:
    test = folder / "test_sleeping.py"
    test.write_text(BENCHMARK.format(seconds=seconds))
    words = ["pytest", "-q", "-p", "no:cacheprovider", "-n", "0", f"--benchmark-json={record}", test]
    subprocess.run([sys.executable, "-m", *map(str, words)], check=True, capture_output=True, cwd=folder)
