-- The shop window by category.
-- uses: idx_products_category
-- $1 uuid: the user; from products.user_id where deleted_at IS NULL
-- $2 text: the category; from products.category
SELECT id, name, price, currency, is_available
FROM products
WHERE user_id = $1
  AND category = $2
  AND deleted_at IS NULL
LIMIT 50;
