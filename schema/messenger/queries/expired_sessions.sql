-- What the purge takes next: sessions that ended long ago.
-- uses: idx_user_sessions_expires_at
-- $1 timestamptz: since when
SELECT id
FROM user_sessions
WHERE expires_at < $1
ORDER BY expires_at ASC
LIMIT 100;
