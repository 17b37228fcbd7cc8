-- A job gets an item.
-- uses: pk_jobs, idx_job_items_job_id
-- rows: exactly 1
-- writes
-- pages: at most 58
-- wal: at most 900 bytes
-- $1 uuid: the job; from (SELECT id FROM jobs WHERE status IN ('PENDING', 'RUNNING') ORDER BY
--      (SELECT count(*) FROM job_items WHERE job_id = jobs.id) DESC, id ASC)
INSERT INTO job_items (job_id, product_id, attribute, before_value)
VALUES ($1, 'product', 'title', 'A title');
