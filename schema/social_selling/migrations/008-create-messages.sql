-- All messages. sender_type is 'user' for the account's owner, 'customer' for the other side.

CREATE TABLE messages (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  conversation_id UUID NOT NULL,
  platform_message_id TEXT NOT NULL,
  sender_type TEXT NOT NULL,
  sender_platform_id TEXT,
  message_type TEXT NOT NULL DEFAULT 'text',
  content TEXT,
  media_url TEXT,
  media_type TEXT,
  is_read BOOLEAN NOT NULL DEFAULT FALSE,
  sent_at TIMESTAMPTZ NOT NULL,
  delivered_at TIMESTAMPTZ,
  read_at TIMESTAMPTZ,
  metadata JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_messages PRIMARY KEY (id),
  CONSTRAINT fk_messages_conversation
    FOREIGN KEY (conversation_id) REFERENCES conversations (id) ON DELETE CASCADE,
  CONSTRAINT chk_messages_platform_message_id_length CHECK (char_length(platform_message_id) BETWEEN 1 AND 255),
  CONSTRAINT chk_sender_type CHECK (sender_type IN ('user', 'customer')),
  CONSTRAINT chk_messages_sender_platform_id_length CHECK (char_length(sender_platform_id) BETWEEN 1 AND 255),
  CONSTRAINT chk_message_type CHECK (
    message_type IN ('text', 'image', 'video', 'audio', 'story_mention', 'story_reply')
  ),
  -- a tsvector holds 1 MB: see README, "Limits of the indexes"
  CONSTRAINT chk_messages_content_length CHECK (char_length(content) <= 10000),
  CONSTRAINT chk_messages_media_type_length CHECK (char_length(media_type) BETWEEN 1 AND 50),
  -- both are the platform's stamps. read_at is not compared: it is this server's, whose clock is another one
  CONSTRAINT chk_messages_delivered_at CHECK (delivered_at >= sent_at),
  CONSTRAINT chk_messages_read_at CHECK (read_at IS NULL OR is_read),
  CONSTRAINT chk_messages_metadata CHECK (jsonb_typeof(metadata) = 'object')
);

CREATE UNIQUE INDEX idx_messages_platform_id ON messages (platform_message_id);
CREATE INDEX idx_messages_conversation_sent ON messages (conversation_id, sent_at DESC);
CREATE INDEX idx_messages_sent_at ON messages (sent_at DESC);
-- what marking a conversation as read has to find
CREATE INDEX idx_messages_is_read ON messages (conversation_id) WHERE NOT is_read AND sender_type = 'customer';
CREATE INDEX idx_messages_content_search
  ON messages USING gin (to_tsvector('portuguese', content))
  WHERE message_type = 'text';
-- search by a part of a word, which lexemes cannot find: names, order numbers, what was misspelt
CREATE INDEX idx_messages_content_trgm ON messages USING gin (content gin_trgm_ops) WHERE message_type = 'text';

-- ROLLBACK
DROP TABLE messages;
