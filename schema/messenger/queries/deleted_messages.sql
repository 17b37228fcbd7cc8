-- What the purge takes next: messages that were deleted long ago.
-- uses: idx_messages_deleted_at
-- $1 timestamptz: since when; from (SELECT max(deleted_at) FROM messages)
SELECT id
FROM messages
WHERE deleted_at < $1
ORDER BY deleted_at ASC
LIMIT 100;
