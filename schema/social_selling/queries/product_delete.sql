-- A product is taken out of the shop.
-- uses: pk_products
-- rows: at most 1
-- writes
-- pages: at most 36
-- wal: at most 2100 bytes
-- $1 uuid: the product; from products.id where deleted_at IS NULL
UPDATE products
SET deleted_at = now()
WHERE id = $1
  AND deleted_at IS NULL;
