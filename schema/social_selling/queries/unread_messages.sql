-- What marking a conversation as read has to find: its unread customer messages.
-- uses: idx_messages_is_read
-- $1 uuid: the conversation; from messages.conversation_id where NOT is_read AND sender_type = 'customer'
SELECT id
FROM messages
WHERE conversation_id = $1
  AND sender_type = 'customer'
  AND NOT is_read;
