-- OAuth tokens of accounts, encrypted with pgcrypto: armor(pgp_sym_encrypt(token, key)).

CREATE TABLE oauth_tokens (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  client_account_id UUID NOT NULL,
  platform TEXT NOT NULL,
  access_token TEXT NOT NULL,
  token_type TEXT NOT NULL DEFAULT 'Bearer',
  expires_at TIMESTAMPTZ NOT NULL,
  scopes TEXT[] NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  revoked_at TIMESTAMPTZ,
  CONSTRAINT pk_oauth_tokens PRIMARY KEY (id),
  -- a token's user owns its account, and their platforms agree: keys to users, and a list of platforms, would add
  -- nothing to this
  CONSTRAINT fk_oauth_tokens_client_account
    FOREIGN KEY (client_account_id, user_id, platform)
    REFERENCES client_accounts (id, user_id, platform)
    ON DELETE CASCADE,
  -- by its looks: dearmor() would raise 39000 for what is none, instead of failing the check
  CONSTRAINT chk_oauth_tokens_access_token CHECK (
    access_token
      ~ '^-----BEGIN PGP MESSAGE-----\n\n([A-Za-z0-9+/]{2,76}={0,2}\n)+=[A-Za-z0-9+/]{4}\n-----END PGP MESSAGE-----\n$'
  ),
  CONSTRAINT chk_oauth_tokens_token_type_length CHECK (char_length(token_type) BETWEEN 1 AND 50),
  CONSTRAINT chk_oauth_tokens_updated_at CHECK (updated_at <= clock_timestamp())
);

-- one token an account that is not revoked
CREATE UNIQUE INDEX idx_oauth_tokens_client_account ON oauth_tokens (client_account_id) WHERE revoked_at IS NULL;
CREATE INDEX idx_oauth_tokens_user_id ON oauth_tokens (user_id, client_account_id, platform);
CREATE INDEX idx_oauth_tokens_expires_at ON oauth_tokens (expires_at) WHERE revoked_at IS NULL;

CREATE TRIGGER update_oauth_tokens_updated_at
  BEFORE UPDATE ON oauth_tokens
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- ROLLBACK
DROP TABLE oauth_tokens;
