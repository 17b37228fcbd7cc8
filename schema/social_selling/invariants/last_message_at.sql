-- A conversation's last_message_at is the latest sent_at of its messages, NULL where it has none.
SELECT conversations.id, conversations.last_message_at, latest.sent_at
FROM conversations
CROSS JOIN LATERAL (
  SELECT MAX(messages.sent_at) AS sent_at
  FROM messages
  WHERE messages.conversation_id = conversations.id
) AS latest
WHERE conversations.last_message_at IS DISTINCT FROM latest.sent_at;
