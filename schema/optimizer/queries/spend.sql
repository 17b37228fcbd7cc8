-- Credits are spent.
-- uses: pk_app_instances
-- rows: exactly 1
-- writes
-- pages: at most 29
-- wal: at most 1000 bytes
-- $1 text: the installation; from app_instances.instance_id where credits_used_month < credits_total
SELECT spend_credits($1, 1) AS spent;
