-- Products by a word of their description.
-- uses: idx_products_description_search
-- $1 text: what is looked for, as people write it; from words of products.description where deleted_at IS NULL
SELECT id, user_id, name, description
FROM products
WHERE to_tsvector('portuguese', description) @@ websearch_to_tsquery('portuguese', $1)
  AND deleted_at IS NULL
LIMIT 50;
