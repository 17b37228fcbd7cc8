-- A worker needs longer for an item.
-- uses: pk_job_items
-- rows: exactly 1
-- writes
-- pages: at most 31
-- wal: at most 1100 bytes
-- $1 uuid: the item; from job_items.id where status = 'RUNNING'
-- $2 timestamptz: when it was claimed; from (SELECT updated_at FROM job_items WHERE id = $1)
SELECT extend_claim($1, $2) AS claimed;
