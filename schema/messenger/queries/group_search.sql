-- Living groups by a part of their name.
-- uses: idx_chats_name
-- pages: at most 3 * bound + 10, because the rows of trigrams that most names share are read through
-- $1 text: a LIKE pattern; from parts of chats.name where type = 'group' AND deleted_at IS NULL
SELECT id, name, description, avatar_url, participant_count
FROM chats
WHERE type = 'group'
  AND deleted_at IS NULL
  AND name ILIKE $1
LIMIT 20;
