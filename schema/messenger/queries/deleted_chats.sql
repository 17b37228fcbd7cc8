-- What the purge takes next: chats that were deleted long ago.
-- uses: idx_chats_deleted_at
-- $1 timestamptz: since when; from (SELECT max(deleted_at) FROM chats)
SELECT id
FROM chats
WHERE deleted_at < $1
ORDER BY deleted_at ASC
LIMIT 100;
