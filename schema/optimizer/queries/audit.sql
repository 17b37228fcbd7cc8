-- The audit: what an installation has published, the latest first.
-- uses: idx_publish_logs_instance
-- $1 text: the installation; from publish_logs.instance_id
SELECT id, product_id, attribute, applied_value, applied_at
FROM publish_logs
WHERE instance_id = $1
ORDER BY applied_at DESC
LIMIT 50;
