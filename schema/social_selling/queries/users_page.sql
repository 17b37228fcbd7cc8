-- All users, the oldest first, from a moment on.
-- uses: idx_users_created_at
-- $1 timestamptz: where the page before ended; from (SELECT min(created_at) FROM users)
SELECT id, email, name, subscription_tier, created_at
FROM users
WHERE created_at >= $1
ORDER BY created_at ASC
LIMIT 50;
