-- Products with certain attributes.
-- uses: idx_products_metadata
-- $1 jsonb: the attributes; from products.metadata where metadata <> '{}' AND deleted_at IS NULL
SELECT id, user_id, name, metadata
FROM products
WHERE metadata @> $1
  AND deleted_at IS NULL
LIMIT 50;
