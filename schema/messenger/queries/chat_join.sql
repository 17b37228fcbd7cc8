-- Somebody comes into a chat, or comes back.
-- uses: uq_chat_participants
-- rows: exactly 1
-- writes
-- pages: at most 31
-- wal: at most 1100 bytes
-- $1 uuid: the chat; from (SELECT chat_id FROM chat_participants WHERE role <> 'owner' GROUP BY chat_id
--      ORDER BY count(*) DESC, chat_id ASC)
-- $2 uuid: the user; from (SELECT user_id FROM chat_participants WHERE chat_id = $1 ORDER BY user_id ASC LIMIT 1)
INSERT INTO chat_participants (chat_id, user_id)
VALUES ($1, $2)
ON CONFLICT (chat_id, user_id) DO UPDATE
SET left_at = NULL;
