-- Who has a plan; what deleting a plan has to look for.
-- uses: idx_app_instances_plan_id
-- $1 text: the plan
SELECT instance_id, site_host
FROM app_instances
WHERE plan_id = $1
LIMIT 50;
