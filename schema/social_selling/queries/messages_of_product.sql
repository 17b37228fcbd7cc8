-- The messages that speak of a product.
-- uses: idx_message_products_product, pk_messages
-- $1 uuid: the product; from message_products.product_id
SELECT messages.id, messages.conversation_id, messages.content, messages.sent_at
FROM message_products
JOIN messages ON messages.id = message_products.message_id
WHERE message_products.product_id = $1
LIMIT 50;
