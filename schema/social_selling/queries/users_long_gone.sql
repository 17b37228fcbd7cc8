-- Who has not signed in for the longest time; those who never did come last.
-- uses: idx_users_last_login_at
SELECT id, email, name, last_login_at
FROM users
ORDER BY last_login_at ASC
LIMIT 50;
