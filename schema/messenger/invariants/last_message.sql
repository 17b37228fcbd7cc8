-- A chat's last message is its newest living one, and last_message_at that message's time; NULL where it has none.
SELECT chats.id, chats.last_message_id, chats.last_message_at, newest.id AS newest_id, newest.created_at
FROM chats
LEFT JOIN LATERAL (
  SELECT messages.id, messages.created_at
  FROM messages
  WHERE messages.chat_id = chats.id
    AND messages.deleted_at IS NULL
  ORDER BY messages.created_at DESC, messages.id DESC
  LIMIT 1
) AS newest ON TRUE
WHERE (chats.last_message_id, chats.last_message_at) IS DISTINCT FROM (newest.id, newest.created_at);
