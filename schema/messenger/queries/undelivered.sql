-- What a device gets that comes back, the oldest first.
-- uses: idx_message_delivery_pending
-- $1 uuid: the user; from message_delivery.user_id where status = 'sent'
SELECT message_id, chat_id, created_at
FROM message_delivery
WHERE user_id = $1
  AND status = 'sent'
ORDER BY created_at ASC
LIMIT 100;
