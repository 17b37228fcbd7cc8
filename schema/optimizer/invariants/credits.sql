-- No installation has used more credits than it has, nor less than none.
SELECT instance_id, credits_used_month, credits_total
FROM app_instances
WHERE credits_used_month < 0
   OR credits_used_month > credits_total;
