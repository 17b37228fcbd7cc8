-- Every request: an installation, its plan and what is left of its credits.
-- uses: pk_app_instances
-- rows: at most 1
-- $1 text: the installation; from app_instances.instance_id
SELECT
  app_instances.site_host,
  app_instances.token_expires_at,
  app_instances.credits_total,
  app_instances.credits_used_month,
  plans.name,
  plans.monthly_credits
FROM app_instances
JOIN plans ON plans.id = app_instances.plan_id
WHERE app_instances.instance_id = $1;
