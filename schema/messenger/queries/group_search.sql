-- Living groups by a part of their name.
-- uses: idx_chats_name
-- $1 text: a LIKE pattern
SELECT id, name, description, avatar_url, participant_count
FROM chats
WHERE type = 'group'
  AND deleted_at IS NULL
  AND name ILIKE $1
LIMIT 20;
