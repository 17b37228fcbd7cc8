-- A message is deleted: its chat may say another one last.
-- uses: pk_messages, idx_messages_chat_created
-- rows: at most 1
-- writes
-- pages: at most 81
-- wal: at most 1900 bytes
-- $1 uuid: the message; from chats.last_message_id
UPDATE messages
SET deleted_at = now()
WHERE id = $1
  AND deleted_at IS NULL;
