-- A worker has done an item.
-- uses: pk_job_items, pk_jobs, idx_job_items_job_id
-- rows: exactly 1
-- writes
-- pages: at most 96
-- wal: at most 1600 bytes
-- $1 uuid: the item; from job_items.id where status = 'RUNNING'
-- $2 timestamptz: when it was claimed; from (SELECT updated_at FROM job_items WHERE id = $1)
SELECT finish_item($1, $2, 'A better title') AS finished;
