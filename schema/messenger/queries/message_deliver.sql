-- A message goes out to everybody else in its chat.
-- uses: uq_message_delivery
-- writes
-- pages: at most 69 * rows + 40
-- wal: at most 1480 * rows + 1000 bytes
-- $1 uuid: the chat; from (SELECT chat_id FROM chat_participants WHERE left_at IS NULL GROUP BY chat_id
--      ORDER BY count(*) DESC, chat_id ASC)
-- $2 uuid: the message; from (SELECT id FROM messages WHERE chat_id = $1 AND NOT EXISTS (SELECT FROM message_delivery
--      WHERE message_id = messages.id) ORDER BY created_at DESC, id DESC LIMIT 1)
INSERT INTO message_delivery (message_id, chat_id, user_id)
SELECT $2, chat_id, user_id
FROM chat_participants
WHERE chat_id = $1
  AND left_at IS NULL
ON CONFLICT (message_id, user_id) DO NOTHING;
