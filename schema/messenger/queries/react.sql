-- Reacting to a message: the same way once.
-- uses: uq_message_reactions, uq_chat_participants
-- rows: at most 1
-- writes
-- pages: at most 35
-- wal: at most 800 bytes
-- $1 uuid: the message; from message_reactions.message_id
-- $2 uuid: its chat; from (SELECT chat_id FROM messages WHERE id = $1)
-- $3 uuid: the user; from (SELECT user_id FROM chat_participants WHERE chat_id = $2 ORDER BY user_id ASC LIMIT 1)
INSERT INTO message_reactions (message_id, chat_id, user_id, emoji)
VALUES ($1, $2, $3, '🦔')
ON CONFLICT (message_id, emoji, user_id) DO NOTHING;
