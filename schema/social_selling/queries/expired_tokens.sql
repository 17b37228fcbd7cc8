-- What the purge takes next: tokens of sessions that ended long ago.
-- uses: idx_refresh_tokens_expires_at
-- $1 timestamptz: since when; from (SELECT max(expires_at) FROM refresh_tokens)
SELECT id
FROM refresh_tokens
WHERE expires_at < $1
ORDER BY expires_at ASC
LIMIT 100;
