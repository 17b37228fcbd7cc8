-- What a user has not been told yet, the latest first.
-- uses: idx_notifications_is_read
-- $1 uuid: the user; from notifications.user_id where NOT is_read
SELECT id, type, title, message, action_url, created_at
FROM notifications
WHERE user_id = $1
  AND NOT is_read
ORDER BY created_at DESC
LIMIT 50;
