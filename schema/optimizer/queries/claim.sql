-- A worker takes what to do next.
-- uses: idx_job_items_status, idx_job_items_job_id, pk_jobs
-- rows: at most 10
-- writes
-- pages: at most 30 * rows + 40
-- wal: at most 710 * rows + 1000 bytes
SELECT id, job_id, product_id, attribute, before_value, updated_at
FROM claim_items(10);
