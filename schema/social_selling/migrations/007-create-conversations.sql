-- Message threads. unread_count and last_message_at are derived: 013-create-message-triggers keeps them.

CREATE TABLE conversations (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  client_account_id UUID NOT NULL,
  platform_conversation_id TEXT NOT NULL,
  participant_platform_id TEXT NOT NULL,
  participant_username TEXT,
  participant_profile_pic TEXT,
  last_message_at TIMESTAMPTZ,
  unread_count INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'open',
  metadata JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_conversations PRIMARY KEY (id),
  CONSTRAINT fk_conversations_client_account
    FOREIGN KEY (client_account_id) REFERENCES client_accounts (id) ON DELETE CASCADE,
  CONSTRAINT chk_conversations_platform_conversation_id_length CHECK (
    char_length(platform_conversation_id) BETWEEN 1 AND 255
  ),
  CONSTRAINT chk_conversations_participant_platform_id_length CHECK (
    char_length(participant_platform_id) BETWEEN 1 AND 255
  ),
  CONSTRAINT chk_conversations_participant_username_length CHECK (
    char_length(participant_username) BETWEEN 1 AND 255
  ),
  CONSTRAINT chk_conversations_unread_count CHECK (unread_count >= 0),
  CONSTRAINT chk_conversation_status CHECK (status IN ('open', 'closed', 'archived')),
  CONSTRAINT chk_conversations_metadata CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT chk_conversations_updated_at CHECK (updated_at <= clock_timestamp())
);

CREATE UNIQUE INDEX idx_conversations_platform ON conversations (client_account_id, platform_conversation_id);
-- the inbox
CREATE INDEX idx_conversations_active
  ON conversations (client_account_id, last_message_at DESC NULLS LAST)
  WHERE status = 'open';
-- what has been quiet for long, over all accounts
CREATE INDEX idx_conversations_status ON conversations (status, last_message_at DESC);

CREATE TRIGGER update_conversations_updated_at
  BEFORE UPDATE ON conversations
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- ROLLBACK
DROP TABLE conversations;
