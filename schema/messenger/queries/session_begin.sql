-- Signing in on a device: it has one session.
-- uses: uq_user_sessions_device
-- rows: exactly 1
-- writes
-- pages: at most 32
-- wal: at most 1200 bytes
-- $1 uuid: the user; from user_sessions.user_id
-- $2 uuid: the device; from (SELECT device_id FROM user_sessions WHERE user_id = $1 ORDER BY device_id ASC LIMIT 1)
-- $3 text: the token's SHA-256; from encode(sha256(gen_random_uuid()::text::bytea), 'hex')
INSERT INTO user_sessions (user_id, device_id, token_hash, device_type, expires_at)
VALUES ($1, $2, $3, 'web', now() + INTERVAL '30 days')
ON CONFLICT (user_id, device_id) DO UPDATE
SET token_hash = EXCLUDED.token_hash,
    expires_at = GREATEST(user_sessions.expires_at, EXCLUDED.expires_at),
    revoked_at = NULL;
