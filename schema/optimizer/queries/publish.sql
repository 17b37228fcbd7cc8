-- What was published is written down.
-- uses: pk_app_instances
-- rows: exactly 1
-- writes
-- pages: at most 22
-- wal: at most 600 bytes
-- $1 text: the installation; from publish_logs.instance_id
-- $2 text: the product; from (SELECT product_id FROM publish_logs WHERE instance_id = $1 ORDER BY applied_at ASC LIMIT 1)
INSERT INTO publish_logs (instance_id, product_id, attribute, applied_value)
VALUES ($1, $2, 'title', 'A better title');
