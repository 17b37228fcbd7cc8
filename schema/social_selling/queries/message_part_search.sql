-- Messages that hold a part of a word: a name, an order number.
-- uses: idx_messages_content_trgm
-- $1 text: a LIKE pattern
SELECT id, conversation_id, content, sent_at
FROM messages
WHERE message_type = 'text'
  AND content ILIKE $1
ORDER BY sent_at DESC
LIMIT 50;
