-- Items of workers that have not been heard of: what requeue_items() puts back.
-- uses: idx_job_items_status
-- $1 timestamptz: since when
SELECT id, job_id, updated_at
FROM job_items
WHERE status = 'RUNNING'
  AND updated_at < $1;
