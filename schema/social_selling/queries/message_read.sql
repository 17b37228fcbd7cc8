-- One message is read.
-- uses: pk_messages
-- rows: at most 1
-- writes
-- pages: at most 73
-- wal: at most 3900 bytes
-- $1 uuid: the message; from messages.id where NOT is_read AND sender_type = 'customer'
UPDATE messages
SET is_read = TRUE,
    read_at = now()
WHERE id = $1
  AND NOT is_read;
