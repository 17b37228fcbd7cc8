-- A message's images, in the order of their upload.
-- uses: idx_attachments_message
-- $1 uuid: the message; from attachments.message_id
SELECT id, storage_key, thumbnail_key, mime_type, width, height, alt_text
FROM attachments
WHERE message_id = $1
ORDER BY created_at ASC;
