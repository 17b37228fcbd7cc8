-- A job is started before it is finished, and is finished exactly when it is DONE, FAILED or CANCELED; one that is
-- canceled may never have been started.
SELECT id, status, started_at, finished_at
FROM jobs
WHERE started_at > finished_at
   OR (finished_at IS NOT NULL) <> (status IN ('DONE', 'FAILED', 'CANCELED'))
   OR (started_at IS NULL AND status IN ('RUNNING', 'DONE', 'FAILED'))
   OR (started_at IS NOT NULL AND status = 'PENDING');
