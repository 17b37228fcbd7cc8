-- A page of a conversation, from a moment backwards.
-- uses: idx_messages_conversation_sent
-- $1 uuid: the conversation; from messages.conversation_id
-- $2 timestamptz: where the page before ended; from (SELECT max(sent_at) FROM messages WHERE conversation_id = $1)
SELECT id, sender_type, message_type, content, media_url, is_read, sent_at
FROM messages
WHERE conversation_id = $1
  AND sent_at < $2
ORDER BY sent_at DESC
LIMIT 50;
