-- A session is refreshed: its token is worth nothing any more.
-- uses: idx_refresh_tokens_token_hash
-- rows: at most 1
-- writes
-- pages: at most 24
-- wal: at most 600 bytes
-- $1 text: the token's hash; from refresh_tokens.token_hash where revoked_at IS NULL
UPDATE refresh_tokens
SET revoked_at = now()
WHERE token_hash = $1
  AND revoked_at IS NULL;
