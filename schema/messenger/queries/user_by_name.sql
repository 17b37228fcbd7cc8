-- Signing in: the user of a name, whatever its case.
-- uses: idx_users_username
-- rows: at most 1
-- $1 text: the name; from users.username
SELECT id, username, password_hash, display_name, status
FROM users
WHERE lower(username) = lower($1);
