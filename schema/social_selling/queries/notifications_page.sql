-- What a user has been told, the latest first.
-- uses: idx_notifications_user_id
-- $1 uuid: the user; from notifications.user_id
SELECT id, type, title, message, action_url, is_read, created_at
FROM notifications
WHERE user_id = $1
ORDER BY created_at DESC
LIMIT 50;
