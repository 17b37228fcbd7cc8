-- Messages with something in their metadata: those that mention a user, or were forwarded.
-- uses: idx_messages_metadata
-- $1 jsonb: what it contains; from messages.metadata where metadata <> '{}'
SELECT id, chat_id, sender_id, content, metadata, created_at
FROM messages
WHERE metadata @> $1
LIMIT 50;
