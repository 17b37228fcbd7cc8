-- A message speaks of a product.
-- uses: unique_message_product, pk_messages, pk_products
-- rows: at most 1
-- writes
-- pages: at most 35
-- wal: at most 700 bytes
-- $1 uuid: the message; from (SELECT id FROM messages ORDER BY sent_at DESC, id ASC LIMIT 1)
-- $2 uuid: the product; from message_products.product_id
INSERT INTO message_products (message_id, product_id)
VALUES ($1, $2)
ON CONFLICT (message_id, product_id) DO NOTHING;
