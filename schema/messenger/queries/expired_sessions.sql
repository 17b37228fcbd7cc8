-- What the purge takes next: sessions that ended long ago.
-- uses: idx_user_sessions_expires_at
-- $1 timestamptz: since when; from (SELECT max(expires_at) FROM user_sessions)
SELECT id
FROM user_sessions
WHERE expires_at < $1
ORDER BY expires_at ASC
LIMIT 100;
