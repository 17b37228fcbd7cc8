-- A user's unread count in a chat is the number of deliveries to them there that are not read; no row means none.
SELECT user_id, chat_id, unread_messages.unread_count, counted.unread
FROM unread_messages
FULL JOIN (
  SELECT user_id, chat_id, COUNT(*) AS unread
  FROM message_delivery
  WHERE status <> 'read'
  GROUP BY user_id, chat_id
) AS counted USING (user_id, chat_id)
WHERE COALESCE(unread_messages.unread_count, 0) <> COALESCE(counted.unread, 0);
