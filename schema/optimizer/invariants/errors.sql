-- Only what has failed has an error.
SELECT 'job' AS what, id, status::TEXT AS status, error
FROM jobs
WHERE error IS NOT NULL
  AND status <> 'FAILED'
UNION ALL
SELECT 'item' AS what, id, status::TEXT AS status, error
FROM job_items
WHERE error IS NOT NULL
  AND status <> 'FAILED';
