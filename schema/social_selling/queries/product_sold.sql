-- A product is sold: one less is in stock.
-- uses: pk_products
-- rows: at most 1
-- writes
-- pages: at most 43
-- wal: at most 2300 bytes
-- $1 uuid: the product; from products.id where stock_quantity > 0 AND deleted_at IS NULL
UPDATE products
SET stock_quantity = stock_quantity - 1
WHERE id = $1
  AND stock_quantity > 0
  AND deleted_at IS NULL;
