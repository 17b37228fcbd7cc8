-- Living messages that speak of something, in any form of its words.
-- uses: idx_messages_content_search
-- sorts: because what finds words gives no order
-- $1 text: what is looked for, as people write it; from words of messages.content where deleted_at IS NULL
SELECT id, chat_id, sender_id, content, created_at
FROM messages
WHERE deleted_at IS NULL
  AND to_tsvector('english', content) @@ websearch_to_tsquery('english', $1)
ORDER BY created_at DESC
LIMIT 50;
