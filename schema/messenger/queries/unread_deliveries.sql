-- What marking a chat as read has to find.
-- uses: idx_message_delivery_unread
-- $1 uuid: the chat; from message_delivery.chat_id where status <> 'read'
-- $2 uuid: the user; from message_delivery.user_id where status <> 'read'
SELECT id, message_id
FROM message_delivery
WHERE chat_id = $1
  AND user_id = $2
  AND status <> 'read';
