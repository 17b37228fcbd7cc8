-- A conversation's unread_count is the number of its unread customer messages.
SELECT conversations.id, conversations.unread_count, counted.unread
FROM conversations
CROSS JOIN LATERAL (
  SELECT COUNT(*) AS unread
  FROM messages
  WHERE messages.conversation_id = conversations.id
    AND messages.sender_type = 'customer'
    AND NOT messages.is_read
) AS counted
WHERE conversations.unread_count <> counted.unread;
