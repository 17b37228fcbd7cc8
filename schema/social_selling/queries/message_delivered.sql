-- The platform says that a message has come to its recipient.
-- uses: idx_messages_platform_id
-- rows: at most 1
-- writes
-- pages: at most 43
-- wal: at most 3500 bytes
-- $1 text: the platform's id of the message; from messages.platform_message_id where delivered_at IS NULL
UPDATE messages
SET delivered_at = GREATEST(sent_at, now())
WHERE platform_message_id = $1
  AND delivered_at IS NULL;
