-- What somebody has uploaded, the latest first.
-- uses: idx_attachments_uploaded_by
-- $1 uuid: the user; from attachments.uploaded_by
SELECT id, message_id, file_name, file_size, created_at
FROM attachments
WHERE uploaded_by = $1
ORDER BY created_at DESC
LIMIT 50;
