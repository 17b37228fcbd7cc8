-- A job's status agrees with its items: PENDING with pending ones only, DONE with done ones only, FAILED with at least
-- one that failed; and what is FAILED or CANCELED has none pending or running.
SELECT jobs.id, jobs.status, items.statuses
FROM jobs
CROSS JOIN LATERAL (
  SELECT COALESCE(array_agg(DISTINCT job_items.status ORDER BY job_items.status ASC), '{}') AS statuses
  FROM job_items
  WHERE job_items.job_id = jobs.id
) AS items
WHERE (jobs.status = 'PENDING' AND NOT items.statuses <@ '{PENDING}')
   OR (jobs.status = 'DONE' AND NOT items.statuses <@ '{DONE}')
   OR (jobs.status = 'FAILED' AND NOT items.statuses @> '{FAILED}')
   OR (jobs.status IN ('FAILED', 'CANCELED') AND items.statuses && '{PENDING,RUNNING}');
