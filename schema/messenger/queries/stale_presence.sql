-- Who is shown as online or away and has not been seen for long.
-- uses: idx_users_status
-- $1 timestamptz: since when; from (SELECT max(last_seen_at) FROM users WHERE status <> 'offline')
SELECT id, status, last_seen_at
FROM users
WHERE status <> 'offline'
  AND last_seen_at < $1
ORDER BY last_seen_at ASC
LIMIT 100;
