-- Whose a chat is.
-- uses: idx_chat_participants_owner
-- rows: at most 1
-- $1 uuid: the chat; from chat_participants.chat_id where role = 'owner'
SELECT user_id
FROM chat_participants
WHERE chat_id = $1
  AND role = 'owner';
