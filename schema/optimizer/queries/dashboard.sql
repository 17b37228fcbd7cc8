-- The dashboard: an installation's jobs in some state.
-- uses: idx_jobs_instance_status
-- $1 text: the installation; from jobs.instance_id
-- $2 job_status: the state; from jobs.status
SELECT id, source_scope, target_lang, created_at, started_at, finished_at, error
FROM jobs
WHERE instance_id = $1
  AND status = $2;
