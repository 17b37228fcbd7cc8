-- Every request: the session of a token.
-- uses: uq_user_sessions_token_hash
-- rows: at most 1
-- $1 text: the token's SHA-256; from user_sessions.token_hash
SELECT id, user_id, device_id, expires_at, revoked_at
FROM user_sessions
WHERE token_hash = $1;
