-- The badge: where a user has something to read, and how much.
-- uses: idx_unread_messages_waiting
-- $1 uuid: the user; from unread_messages.user_id where unread_count > 0
SELECT chat_id, unread_count
FROM unread_messages
WHERE user_id = $1
  AND unread_count > 0;
