"""The credits of optimizer: spent once, never beyond what there is, and new every month."""

from __future__ import annotations

import random

import psycopg
import pytest

from tests.contract.fix_optimizer import Desk, connect, deadlocks, together, try_to


def test_no_credit_is_spent_twice_and_none_too_many(desk: Desk) -> None:
    """Sixteen sessions spend more than there is; so do those that write the column themselves."""
    desk.run("UPDATE app_instances SET credits_total = 97")

    def work(worker: int) -> int:
        spent = 0
        with connect(desk.dsn, autocommit=True) as session:
            for _ in range(12):
                if worker % 2:
                    ((ok,),) = session.execute("SELECT spend_credits('shop', 1)").fetchall()
                    spent += ok
                else:
                    error = try_to(session, "UPDATE app_instances SET credits_used_month = credits_used_month + 1")
                    assert error is None or error.diag.constraint_name == "chk_app_instances_credits"
                    spent += error is None
        return spent

    assert sum(together(work)) == 97
    desk.check("spending")
    assert desk.run("SELECT credits_used_month FROM app_instances") == [(97,)]


@pytest.mark.parametrize(("amount", "spent"), [(0, True), (40, True), (60, True), (61, False), (2147483647, False)])
def test_spending_is_all_or_nothing(desk: Desk, amount: int, *, spent: bool) -> None:
    """To the last credit; an amount beyond every number is no error; an installation that is not there has none."""
    desk.run("UPDATE app_instances SET credits_used_month = 40")
    assert desk.run("SELECT spend_credits('shop', %s)", amount) == [(spent,)]
    assert desk.run("SELECT credits_used_month FROM app_instances") == [(40 + amount if spent else 40,)]
    assert desk.run("SELECT spend_credits('nobody', 0)") == [(False,)]


@pytest.mark.parametrize("amount", [-1, None])
def test_credits_are_not_given_back_by_spending(desk: Desk, amount: int | None) -> None:
    """Less than nothing is refused."""
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        desk.run("SELECT spend_credits('shop', %s)", amount)


def test_credits_hold_while_plans_change_and_months_end(desk: Desk) -> None:
    """Spending, downgrades, upgrades and resets at once: never more used than there are, no deadlock."""
    desk.run(
        "INSERT INTO app_instances (instance_id, site_host, plan_id, credits_total)"
        " SELECT 'i' || n, 'h', 'pro', 5000 FROM generate_series(1, 5) AS n"
    )

    def work(worker: int) -> None:
        draw = random.Random(worker)
        with connect(desk.dsn, autocommit=True) as session:
            for _ in range(20):
                instance = f"i{draw.randint(1, 5)}"
                match worker % 4:
                    case 0:
                        plan = draw.choice(["free", "starter", "pro", "scale"])
                        session.execute(
                            "UPDATE app_instances SET plan_id = %s WHERE instance_id = %s", (plan, instance)
                        )
                    case 1:
                        session.execute(
                            "UPDATE app_instances SET credits_reset_on = '2001-01-01' WHERE instance_id = %s",
                            (instance,),
                        )
                        session.execute("SELECT reset_credits()")
                    case _:
                        session.execute("SELECT spend_credits(%s, %s)", (instance, draw.randint(1, 400)))

    together(work)
    desk.check("months and plans")
    assert deadlocks(desk) == 0


def test_a_new_month_gives_the_plan_s_credits_to_whoever_is_due(desk: Desk) -> None:
    """Today is due, tomorrow is not; the next reset is the default's; once a month."""
    desk.run("UPDATE plans SET monthly_credits = 120 WHERE id = 'free'")
    desk.run(
        "INSERT INTO app_instances"
        " (instance_id, site_host, plan_id, credits_total, credits_used_month, credits_reset_on)"
        " SELECT 'due ' || days, 'h', 'pro', 10, 10, (now() AT TIME ZONE 'UTC')::DATE + days"
        " FROM unnest(ARRAY[-400, 0, 1]) AS days"
    )
    desk.run("UPDATE app_instances SET credits_used_month = 99 WHERE instance_id = 'shop'")
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        desk.session.execute("SELECT set_config('timezone', %s, FALSE)", (zone,))
        desk.run("SELECT reset_credits()")
    rows = desk.run(
        "SELECT instance_id, credits_total, credits_used_month, credits_reset_on ="
        " (date_trunc('month', now() AT TIME ZONE 'UTC') + INTERVAL '1 month')::DATE"
        " FROM app_instances ORDER BY instance_id ASC"
    )
    assert [row[:3] for row in rows] == [
        ("due -400", 5000, 0),
        ("due 0", 5000, 0),
        ("due 1", 10, 10),
        ("shop", 100, 99),
    ]
    assert [row[3] for row in rows if row[0] in ("due -400", "due 0", "shop")] == [True] * 3
    assert desk.run("SELECT reset_credits()") == [(0,)]
