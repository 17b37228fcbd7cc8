-- What has come to a user in a chat.
-- uses: idx_message_delivery_user
-- $1 uuid: the user; from message_delivery.user_id
-- $2 uuid: the chat; from message_delivery.chat_id
SELECT message_id, status, delivered_at, read_at
FROM message_delivery
WHERE user_id = $1
  AND chat_id = $2;
