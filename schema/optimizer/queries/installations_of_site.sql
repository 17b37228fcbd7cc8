-- Who asks: the installations on a site.
-- uses: idx_app_instances_site_host
-- $1 text: the host, in lower case; from app_instances.site_host
SELECT instance_id, plan_id, credits_total, credits_used_month, credits_reset_on
FROM app_instances
WHERE site_host = $1;
