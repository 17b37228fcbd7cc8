-- What has been said lately, over all conversations.
-- uses: idx_messages_sent_at
SELECT id, conversation_id, sender_type, sent_at
FROM messages
ORDER BY sent_at DESC
LIMIT 50;
