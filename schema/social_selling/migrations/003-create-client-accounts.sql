-- Connected Instagram and WhatsApp accounts.

CREATE TABLE client_accounts (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  platform TEXT NOT NULL,
  platform_account_id TEXT NOT NULL,
  username TEXT NOT NULL,
  profile_picture_url TEXT,
  follower_count INTEGER NOT NULL DEFAULT 0,
  following_count INTEGER NOT NULL DEFAULT 0,
  media_count INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'active',
  metadata JSONB NOT NULL DEFAULT '{}',
  last_sync_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  deleted_at TIMESTAMPTZ,
  CONSTRAINT pk_client_accounts PRIMARY KEY (id),
  -- what composite foreign keys refer to, so that whatever hangs on an account belongs to its user (and is of its
  -- platform); the first one serves the foreign key to users, too
  CONSTRAINT uq_client_accounts_user_id UNIQUE (user_id, id),
  CONSTRAINT uq_client_accounts_user_id_platform UNIQUE (id, user_id, platform),
  CONSTRAINT fk_client_accounts_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT chk_platform CHECK (platform IN ('instagram', 'whatsapp')),
  CONSTRAINT chk_client_accounts_platform_account_id_length CHECK (
    char_length(platform_account_id) BETWEEN 1 AND 255
  ),
  CONSTRAINT chk_client_accounts_username_length CHECK (char_length(username) BETWEEN 1 AND 255),
  CONSTRAINT chk_client_accounts_follower_count CHECK (follower_count >= 0),
  CONSTRAINT chk_client_accounts_following_count CHECK (following_count >= 0),
  CONSTRAINT chk_client_accounts_media_count CHECK (media_count >= 0),
  CONSTRAINT chk_status CHECK (status IN ('active', 'token_expired', 'token_revoked', 'disconnected', 'error')),
  CONSTRAINT chk_client_accounts_metadata CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT chk_client_accounts_updated_at CHECK (updated_at <= clock_timestamp())
);

-- among the living only: a deleted account can be connected again
CREATE UNIQUE INDEX idx_client_accounts_platform_account
  ON client_accounts (platform, platform_account_id)
  WHERE deleted_at IS NULL;
CREATE INDEX idx_client_accounts_user_platform ON client_accounts (user_id, platform) WHERE deleted_at IS NULL;
CREATE INDEX idx_client_accounts_status ON client_accounts (status) WHERE deleted_at IS NULL;
-- whoever was never synchronised comes first
CREATE INDEX idx_client_accounts_last_sync ON client_accounts (last_sync_at ASC NULLS FIRST) WHERE deleted_at IS NULL;

CREATE TRIGGER update_client_accounts_updated_at
  BEFORE UPDATE ON client_accounts
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- ROLLBACK
DROP TABLE client_accounts;
