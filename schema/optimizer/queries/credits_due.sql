-- Whose month is over: what reset_credits() takes.
-- uses: idx_app_instances_credits_reset
-- $1 date: today, in UTC; from (SELECT max(credits_reset_on) FROM app_instances)
SELECT instance_id, plan_id, credits_reset_on
FROM app_instances
WHERE credits_reset_on <= $1
ORDER BY credits_reset_on ASC
LIMIT 100;
