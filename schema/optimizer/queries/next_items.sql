-- The workers' queue: what claim_items() takes next, the oldest first, and nobody waits for anybody.
-- uses: idx_job_items_status
-- rows: at most 10
-- writes
-- pages: at most 38
-- wal: at most 800 bytes
SELECT id, job_id, product_id, attribute, before_value
FROM job_items
WHERE status = 'PENDING'
ORDER BY created_at ASC
LIMIT 10
FOR NO KEY UPDATE SKIP LOCKED;
