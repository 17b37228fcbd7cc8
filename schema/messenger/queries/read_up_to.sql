-- How far somebody has read a chat.
-- uses: uq_chat_participants, uq_messages_chat_id
-- rows: at most 1
-- writes
-- pages: at most 47
-- wal: at most 1000 bytes
-- $1 uuid: the chat; from messages.chat_id
-- $2 uuid: the user; from (SELECT user_id FROM chat_participants WHERE chat_id = $1 ORDER BY user_id ASC LIMIT 1)
-- $3 uuid: the message; from (SELECT id FROM messages WHERE chat_id = $1 ORDER BY created_at ASC, id ASC LIMIT 1)
UPDATE chat_participants
SET last_read_message_id = $3,
    last_read_at = now()
WHERE chat_id = $1
  AND user_id = $2;
