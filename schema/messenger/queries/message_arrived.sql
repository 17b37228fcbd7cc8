-- A device says that a message has arrived.
-- uses: uq_message_delivery
-- rows: at most 1
-- writes
-- pages: at most 35
-- wal: at most 900 bytes
-- $1 uuid: the message; from message_delivery.message_id where status = 'sent'
-- $2 uuid: the user; from message_delivery.user_id
UPDATE message_delivery
SET status = 'delivered',
    delivered_at = now()
WHERE message_id = $1
  AND user_id = $2
  AND status = 'sent';
