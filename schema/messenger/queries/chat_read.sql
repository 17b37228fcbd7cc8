-- A chat is opened: all that came to a user in it is read.
-- uses: idx_message_delivery_unread
-- writes
-- pages: at most 21 * rows + 40
-- wal: at most 560 * rows + 1000 bytes
-- $1 uuid: the chat; from message_delivery.chat_id where status <> 'read'
-- $2 uuid: the user; from message_delivery.user_id
UPDATE message_delivery
SET status = 'read',
    delivered_at = COALESCE(delivered_at, now()),
    read_at = now()
WHERE chat_id = $1
  AND user_id = $2
  AND status <> 'read';
