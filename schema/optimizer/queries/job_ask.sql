-- Somebody asks for a job.
-- uses: pk_app_instances
-- rows: exactly 1
-- writes
-- pages: at most 31
-- wal: at most 700 bytes
-- $1 text: the installation; from jobs.instance_id
INSERT INTO jobs (instance_id, source_scope, source_ids, attributes)
VALUES ($1, 'SELECTED_PRODUCTS', '["a", "b"]', '["title"]');
