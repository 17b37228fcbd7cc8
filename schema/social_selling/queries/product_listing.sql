-- The shop window: a user's available products, the newest first.
-- uses: idx_products_user_available
-- $1 uuid: the user; from products.user_id where is_available AND deleted_at IS NULL
SELECT id, name, price, currency, category, images, stock_quantity
FROM products
WHERE user_id = $1
  AND is_available
  AND deleted_at IS NULL
ORDER BY created_at DESC
LIMIT 50;
