-- A message is edited.
-- uses: pk_messages
-- rows: at most 1
-- writes
-- pages: at most 47
-- wal: at most 1500 bytes
-- $1 uuid: the message; from messages.id where deleted_at IS NULL
UPDATE messages
SET content = 'See you at nine.',
    edited_at = now()
WHERE id = $1
  AND deleted_at IS NULL;
