-- What a user has made of a chat's messages.
-- uses: idx_message_reactions_user
-- $1 uuid: the user
-- $2 uuid: the chat
SELECT message_id, emoji
FROM message_reactions
WHERE user_id = $1
  AND chat_id = $2;
