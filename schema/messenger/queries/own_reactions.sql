-- What a user has made of a chat's messages.
-- uses: idx_message_reactions_user
-- $1 uuid: the user; from message_reactions.user_id
-- $2 uuid: the chat; from message_reactions.chat_id
SELECT message_id, emoji
FROM message_reactions
WHERE user_id = $1
  AND chat_id = $2;
