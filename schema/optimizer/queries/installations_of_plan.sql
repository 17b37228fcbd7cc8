-- How many installations have a plan: none may, before it is deleted.
-- uses: idx_app_instances_plan_id
-- $1 text: the plan; from app_instances.plan_id
SELECT COUNT(*) AS installations
FROM app_instances
WHERE plan_id = $1;
