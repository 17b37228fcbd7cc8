-- What a message's readers make of it.
-- uses: uq_message_reactions
-- $1 uuid: the message; from message_reactions.message_id
SELECT emoji, user_id
FROM message_reactions
WHERE message_id = $1
ORDER BY emoji ASC, user_id ASC
LIMIT 500;
