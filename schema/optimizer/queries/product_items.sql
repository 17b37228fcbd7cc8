-- What has been proposed for a product.
-- uses: idx_job_items_product
-- $1 text: the product; from job_items.product_id
SELECT id, job_id, attribute, before_value, after_value, status, created_at
FROM job_items
WHERE product_id = $1
LIMIT 50;
