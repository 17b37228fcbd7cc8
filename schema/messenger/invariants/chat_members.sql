-- Whoever sends a message, reacts to one or gets one delivered takes part in its chat, or has left it.
SELECT taking.what, taking.id, taking.chat_id, taking.user_id
FROM (
  SELECT 'message' AS what, id, chat_id, sender_id AS user_id
  FROM messages
  WHERE sender_id IS NOT NULL
  UNION ALL
  SELECT 'reaction' AS what, message_reactions.id, messages.chat_id, message_reactions.user_id
  FROM message_reactions
  LEFT JOIN messages ON messages.id = message_reactions.message_id
  UNION ALL
  SELECT 'delivery' AS what, message_delivery.id, messages.chat_id, message_delivery.user_id
  FROM message_delivery
  LEFT JOIN messages ON messages.id = message_delivery.message_id
) AS taking
LEFT JOIN chat_participants
  ON chat_participants.chat_id = taking.chat_id
  AND chat_participants.user_id = taking.user_id
WHERE chat_participants.id IS NULL;
