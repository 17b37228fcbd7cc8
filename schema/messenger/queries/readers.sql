-- Who has read a chat up to a message.
-- uses: idx_chat_participants_last_read
-- $1 uuid: the message; from chat_participants.last_read_message_id
SELECT user_id, last_read_at
FROM chat_participants
WHERE last_read_message_id = $1;
