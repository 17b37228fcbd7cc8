-- The accounts that a user has connected on a platform.
-- uses: idx_client_accounts_user_platform
-- $1 uuid: the user; from client_accounts.user_id where deleted_at IS NULL
-- $2 text: the platform; from client_accounts.platform
SELECT id, username, profile_picture_url, follower_count, status, last_sync_at
FROM client_accounts
WHERE user_id = $1
  AND platform = $2
  AND deleted_at IS NULL
LIMIT 50;
