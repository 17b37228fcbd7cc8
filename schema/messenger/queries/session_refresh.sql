-- Every now and then: a session is in use, and goes on.
-- uses: uq_user_sessions_token_hash
-- rows: at most 1
-- writes
-- pages: at most 36
-- wal: at most 1100 bytes
-- $1 text: the token's SHA-256; from user_sessions.token_hash where revoked_at IS NULL
UPDATE user_sessions
SET last_active_at = now(),
    expires_at = GREATEST(expires_at, now() + INTERVAL '30 days')
WHERE token_hash = $1
  AND revoked_at IS NULL;
