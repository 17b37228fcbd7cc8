-- Items of workers that have not been heard of: what requeue_items() puts back.
-- uses: idx_job_items_status
-- $1 timestamptz: since when; from (SELECT max(updated_at) + INTERVAL '1 second' FROM job_items WHERE
--      status = 'RUNNING')
SELECT id, job_id, updated_at
FROM job_items
WHERE status = 'RUNNING'
  AND updated_at < $1;
