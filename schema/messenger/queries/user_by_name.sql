-- Signing in: the user of a name, whatever its case.
-- uses: idx_users_username
-- $1 text: the name
SELECT id, username, password_hash, display_name, status
FROM users
WHERE lower(username) = lower($1);
