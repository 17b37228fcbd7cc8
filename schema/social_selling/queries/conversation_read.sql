-- A conversation is opened: all of its customer's messages are read.
-- uses: idx_messages_is_read
-- writes
-- pages: at most 39 * rows + 40
-- wal: at most 3510 * rows + 1000 bytes
-- $1 uuid: the conversation; from messages.conversation_id where NOT is_read AND sender_type = 'customer'
UPDATE messages
SET is_read = TRUE,
    read_at = now()
WHERE conversation_id = $1
  AND sender_type = 'customer'
  AND NOT is_read;
