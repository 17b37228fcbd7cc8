-- Development data: one installation on the Starter plan, jobs in four states with their items, and what was
-- published. The plans are no part of this: the migrations bring them.
-- The same rows on every database, and no more of them when run again. Never for production.
DO $$
BEGIN
  IF lower(btrim(current_setting('pgcontract.environment', TRUE))) = 'production' THEN
    RAISE EXCEPTION 'this database is marked as production: no seed data'
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'ALTER DATABASE … SET pgcontract.environment says what a database is for';
  END IF;
END
$$;

INSERT INTO app_instances (instance_id, site_host, plan_id, credits_total, credits_used_month, created_at)
SELECT 'demo-instance', 'demo.example.com', plans.id, plans.monthly_credits, 6, '2025-11-01 09:00:00Z'
FROM plans
WHERE plans.id = 'starter'
ON CONFLICT (instance_id) DO NOTHING;

INSERT INTO jobs (
  id, instance_id, status, source_scope, source_ids, attributes, target_lang, user_prompt,
  created_at, started_at, finished_at
)
VALUES
  (
    '00000000-0000-4000-8000-000000000001', 'demo-instance', 'DONE', 'PRODUCTS',
    '["mug", "teapot"]', '["title"]', 'en', 'Short and friendly.',
    '2025-11-03 10:00:00Z', '2025-11-03 10:00:01Z', '2025-11-03 10:00:09Z'
  ),
  (
    '00000000-0000-4000-8000-000000000002', 'demo-instance', 'RUNNING', 'PRODUCTS',
    '["mug"]', '["title", "description", "seo_title"]', 'de', NULL,
    '2025-11-04 10:00:00Z', '2025-11-04 10:00:01Z', NULL
  ),
  (
    '00000000-0000-4000-8000-000000000003', 'demo-instance', 'CANCELED', 'COLLECTION',
    '["kitchen"]', '["description"]', 'pt-BR', NULL,
    '2025-11-05 10:00:00Z', '2025-11-05 10:00:01Z', '2025-11-05 10:00:05Z'
  ),
  (
    '00000000-0000-4000-8000-000000000004', 'demo-instance', 'PENDING', 'PRODUCTS',
    '["teapot"]', '["title"]', 'en', NULL,
    '2025-11-06 10:00:00Z', NULL, NULL
  )
ON CONFLICT (id) DO NOTHING;

INSERT INTO job_items (
  id, job_id, product_id, attribute, before_value, after_value, status, error, created_at, updated_at
)
SELECT
  ('00000000-0000-4000-8000-0000000000' || given.number)::UUID,
  ('00000000-0000-4000-8000-00000000000' || given.job)::UUID,
  given.product_id,
  given.attribute,
  given.before_value,
  given.after_value,
  given.status::item_status,
  given.error,
  jobs.created_at,
  COALESCE(jobs.finished_at, jobs.started_at, jobs.created_at)
FROM (
  VALUES
    (11, 1, 'mug', 'title', 'mug blue', 'Blue Mug', 'DONE', NULL),
    (12, 1, 'teapot', 'title', 'teapot', 'Little Teapot', 'DONE', NULL),
    (21, 2, 'mug', 'title', 'Blue Mug', 'Blaue Tasse', 'DONE', NULL),
    (22, 2, 'mug', 'description', 'A mug.', NULL, 'RUNNING', NULL),
    (23, 2, 'mug', 'seo_title', NULL, NULL, 'PENDING', NULL),
    (31, 3, 'mug', 'description', 'A mug.', 'Uma caneca.', 'DONE', NULL),
    (32, 3, 'teapot', 'description', 'A teapot.', NULL, 'FAILED', 'canceled'),
    (41, 4, 'teapot', 'title', 'Little Teapot', NULL, 'PENDING', NULL)
) AS given (number, job, product_id, attribute, before_value, after_value, status, error)
JOIN jobs ON jobs.id = ('00000000-0000-4000-8000-00000000000' || given.job)::UUID
ORDER BY given.number ASC
ON CONFLICT (id) DO NOTHING;

INSERT INTO publish_logs (id, instance_id, product_id, attribute, applied_value, applied_at)
VALUES
  (
    '00000000-0000-4000-8000-000000000051', 'demo-instance', 'mug', 'title', 'Blue Mug',
    '2025-11-03 11:00:00Z'
  ),
  (
    '00000000-0000-4000-8000-000000000052', 'demo-instance', 'teapot', 'title', 'Little Teapot',
    '2025-11-03 11:00:01Z'
  )
ON CONFLICT (id) DO NOTHING;
