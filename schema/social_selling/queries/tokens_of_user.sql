-- A user's sessions: what signing out everywhere has to find.
-- uses: idx_refresh_tokens_user_id
-- $1 uuid: the user; from refresh_tokens.user_id
SELECT id, created_at, expires_at, revoked_at
FROM refresh_tokens
WHERE user_id = $1
LIMIT 100;
