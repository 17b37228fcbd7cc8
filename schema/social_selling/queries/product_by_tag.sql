-- Products that bear a tag.
-- uses: idx_products_tags
-- $1 text: the tag; from elements of products.tags where deleted_at IS NULL
SELECT id, user_id, name, tags
FROM products
WHERE tags @> ARRAY[$1]
  AND deleted_at IS NULL
LIMIT 50;
