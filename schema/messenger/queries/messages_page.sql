-- A page of a chat, from a message backwards.
-- uses: idx_messages_chat_created
-- $1 uuid: the chat; from messages.chat_id
-- $2 timestamptz: when the last message of the page before was made; from (SELECT max(created_at) FROM messages WHERE chat_id = $1)
-- $3 uuid: which it was; from (SELECT id FROM messages WHERE chat_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1)
SELECT id, sender_id, reply_to_id, content, metadata, created_at, edited_at, deleted_at
FROM messages
WHERE chat_id = $1
  AND (created_at, id) < ($2, $3)
ORDER BY created_at DESC, id DESC
LIMIT 50;
