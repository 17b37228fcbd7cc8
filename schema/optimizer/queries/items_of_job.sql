-- A job's items, to be looked through before they are published.
-- uses: idx_job_items_job_id
-- $1 uuid: the job; from job_items.job_id
SELECT id, product_id, attribute, before_value, after_value, status, error
FROM job_items
WHERE job_id = $1;
