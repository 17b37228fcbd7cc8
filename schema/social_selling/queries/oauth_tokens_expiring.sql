-- Tokens to be renewed with their platform, the most urgent first.
-- uses: idx_oauth_tokens_expires_at
-- $1 timestamptz: until when; from (SELECT max(expires_at) FROM oauth_tokens WHERE revoked_at IS NULL)
SELECT id, client_account_id, platform, expires_at
FROM oauth_tokens
WHERE revoked_at IS NULL
  AND expires_at < $1
ORDER BY expires_at ASC
LIMIT 100;
