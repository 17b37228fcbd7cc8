-- A user's chats, those with the latest news first, and what they say last.
-- uses: idx_chat_participants_user_active
-- sorts: because the times stand in chats, and who takes part in chat_participants
-- $1 uuid: the user; from chat_participants.user_id where left_at IS NULL
SELECT chats.id, chats.type, chats.name, chats.avatar_url, chats.last_message_id, chats.last_message_at
FROM chat_participants
JOIN chats ON chats.id = chat_participants.chat_id
WHERE chat_participants.user_id = $1
  AND chat_participants.left_at IS NULL
  AND chats.deleted_at IS NULL
ORDER BY chats.last_message_at DESC NULLS LAST
LIMIT 50;
