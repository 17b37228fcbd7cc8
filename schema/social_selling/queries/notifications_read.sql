-- A user has seen all notifications.
-- uses: idx_notifications_is_read
-- writes
-- pages: at most 15 * rows + 40
-- wal: at most 550 * rows + 1000 bytes
-- $1 uuid: the user; from notifications.user_id where NOT is_read
UPDATE notifications
SET is_read = TRUE,
    read_at = now()
WHERE user_id = $1
  AND NOT is_read;
