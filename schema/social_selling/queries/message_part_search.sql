-- Messages that hold a part of a word: a name, an order number. They are sorted in a step of its own: how many hold it is
-- hardly known beforehand, and to walk back through all messages until enough of them do may take for ever.
-- uses: idx_messages_content_trgm
-- pages: at most 1.5 * bound + 10, because a row with every trigram need not hold the part, and has to be looked at
-- sorts: because what finds parts of words gives no order
-- $1 text: a LIKE pattern; from parts of messages.content where message_type = 'text'
WITH found AS MATERIALIZED (
  SELECT id, conversation_id, content, sent_at
  FROM messages
  WHERE message_type = 'text'
    AND content ILIKE $1
)
SELECT id, conversation_id, content, sent_at
FROM found
ORDER BY sent_at DESC
LIMIT 50;
