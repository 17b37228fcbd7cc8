-- Products by a word of their name.
-- uses: idx_products_name_search
-- $1 text: what is looked for, as people write it; from words of products.name where deleted_at IS NULL
SELECT id, user_id, name, price, currency
FROM products
WHERE to_tsvector('portuguese', name) @@ websearch_to_tsquery('portuguese', $1)
  AND deleted_at IS NULL
LIMIT 50;
