-- Who takes part in a chat, in the order of joining.
-- uses: idx_chat_participants_active
-- $1 uuid: the chat; from chat_participants.chat_id where left_at IS NULL
SELECT user_id, role, nickname, joined_at
FROM chat_participants
WHERE chat_id = $1
  AND left_at IS NULL
ORDER BY joined_at ASC
LIMIT 100;
