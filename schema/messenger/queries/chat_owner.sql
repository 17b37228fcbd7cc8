-- Whose a chat is.
-- uses: idx_chat_participants_owner
-- $1 uuid: the chat
SELECT user_id
FROM chat_participants
WHERE chat_id = $1
  AND role = 'owner';
