-- What was uploaded long ago and never sent.
-- uses: idx_attachments_unsent
-- $1 timestamptz: since when; from (SELECT max(created_at) FROM attachments WHERE message_id IS NULL)
SELECT id, storage_key, thumbnail_key
FROM attachments
WHERE message_id IS NULL
  AND created_at < $1
ORDER BY created_at ASC
LIMIT 100;
