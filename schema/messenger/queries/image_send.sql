-- An image is sent with a message.
-- uses: pk_attachments, pk_messages
-- rows: at most 1
-- writes
-- pages: at most 42
-- wal: at most 1100 bytes
-- $1 uuid: the image; from attachments.id where message_id IS NULL
-- $2 uuid: the message; from (SELECT id FROM messages ORDER BY created_at DESC, id DESC LIMIT 1)
UPDATE attachments
SET message_id = $2
WHERE id = $1
  AND message_id IS NULL;
