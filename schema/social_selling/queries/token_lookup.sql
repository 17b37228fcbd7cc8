-- A session is to be refreshed: whose a token is, while it is not revoked.
-- uses: idx_refresh_tokens_token_hash
-- rows: at most 1
-- $1 text: the token's hash; from refresh_tokens.token_hash where revoked_at IS NULL
SELECT id, user_id, expires_at
FROM refresh_tokens
WHERE token_hash = $1
  AND revoked_at IS NULL;
