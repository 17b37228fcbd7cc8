-- Messages that speak of something, in any form of its words.
-- uses: idx_messages_content_search
-- sorts: because what finds words gives no order
-- $1 text: what is looked for, as people write it; from words of messages.content where message_type = 'text'
SELECT id, conversation_id, content, sent_at
FROM messages
WHERE message_type = 'text'
  AND to_tsvector('portuguese', content) @@ websearch_to_tsquery('portuguese', $1)
ORDER BY sent_at DESC
LIMIT 50;
