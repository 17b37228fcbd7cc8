-- The audit of one product.
-- uses: idx_publish_logs_product
-- $1 text: the product; from publish_logs.product_id
SELECT id, instance_id, attribute, applied_value, applied_at
FROM publish_logs
WHERE product_id = $1
LIMIT 50;
