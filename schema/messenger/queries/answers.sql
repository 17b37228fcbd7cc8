-- The answers to a message.
-- uses: idx_messages_reply_to
-- $1 uuid: the message; from messages.reply_to_id
SELECT id, sender_id, content, created_at
FROM messages
WHERE reply_to_id = $1;
