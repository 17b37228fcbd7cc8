-- What has been asked for lately, over all installations.
-- uses: idx_jobs_created_at
SELECT id, instance_id, status, created_at
FROM jobs
ORDER BY created_at DESC
LIMIT 50;
