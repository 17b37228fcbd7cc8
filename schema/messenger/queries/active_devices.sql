-- The devices that a message is pushed to, the latest used first.
-- uses: idx_user_sessions_active
-- $1 uuid: the user; from user_sessions.user_id where revoked_at IS NULL
SELECT id, device_name, device_type, push_token, last_active_at
FROM user_sessions
WHERE user_id = $1
  AND revoked_at IS NULL
ORDER BY last_active_at DESC
LIMIT 20;
