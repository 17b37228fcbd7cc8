-- Sending a message: once, however often the client tries.
-- uses: uq_messages_client_message_id, uq_chat_participants, pk_chats
-- rows: exactly 1
-- writes
-- pages: at most 75
-- wal: at most 2500 bytes
-- $1 uuid: the chat; from messages.chat_id
-- $2 uuid: who sends it; from (SELECT user_id FROM chat_participants WHERE chat_id = $1 ORDER BY user_id ASC LIMIT 1)
-- $3 uuid: the client's own id of it; from gen_random_uuid()
INSERT INTO messages (chat_id, sender_id, client_message_id, content)
VALUES ($1, $2, $3, 'See you at eight.')
ON CONFLICT (chat_id, client_message_id) DO NOTHING;
