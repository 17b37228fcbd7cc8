-- People by a part of the name that they show.
-- uses: idx_users_display_name
-- $1 text: a LIKE pattern; from parts of users.display_name
SELECT id, username, display_name, avatar_url
FROM users
WHERE display_name ILIKE $1
LIMIT 20;
