-- A message comes in: once, however often the platform tells of it.
-- uses: idx_messages_platform_id, pk_conversations
-- rows: exactly 1
-- writes
-- pages: at most 70
-- wal: at most 2700 bytes
-- $1 uuid: the conversation; from messages.conversation_id
-- $2 text: the platform's id of the message; from 'new ' || gen_random_uuid()
INSERT INTO messages
  (conversation_id, platform_message_id, sender_type, sender_platform_id, message_type, content, sent_at)
VALUES ($1, $2, 'customer', 'customer', 'text', 'Is this still available?', now())
ON CONFLICT (platform_message_id) DO NOTHING;
