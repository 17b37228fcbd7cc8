-- What refers to a message belongs to its chat: an answer, a participant's last read message, a chat's last one, a
-- reaction, a delivery.
SELECT referring.what, referring.id, referring.chat_id, messages.chat_id AS chat_of_message
FROM (
  SELECT 'answer' AS what, id, chat_id, reply_to_id AS message_id
  FROM messages
  WHERE reply_to_id IS NOT NULL
  UNION ALL
  SELECT 'participant' AS what, id, chat_id, last_read_message_id AS message_id
  FROM chat_participants
  WHERE last_read_message_id IS NOT NULL
  UNION ALL
  SELECT 'chat' AS what, id, id AS chat_id, last_message_id AS message_id
  FROM chats
  WHERE last_message_id IS NOT NULL
  UNION ALL
  SELECT 'reaction' AS what, id, chat_id, message_id
  FROM message_reactions
  UNION ALL
  SELECT 'delivery' AS what, id, chat_id, message_id
  FROM message_delivery
) AS referring
LEFT JOIN messages ON messages.id = referring.message_id
WHERE messages.chat_id IS DISTINCT FROM referring.chat_id;
