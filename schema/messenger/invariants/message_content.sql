-- A message has content or an attachment, or is deleted.
SELECT messages.id, messages.chat_id
FROM messages
WHERE messages.content IS NULL
  AND messages.deleted_at IS NULL
  AND NOT EXISTS (
    SELECT
    FROM attachments
    WHERE attachments.message_id = messages.id
  );
