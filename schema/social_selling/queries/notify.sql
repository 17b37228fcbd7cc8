-- A user is told something.
-- uses: pk_users
-- rows: exactly 1
-- writes
-- pages: at most 23
-- wal: at most 800 bytes
-- $1 uuid: the user; from notifications.user_id
INSERT INTO notifications (user_id, type, title, message)
VALUES ($1, 'new_message', 'A new message', 'Somebody asks for a product.');
