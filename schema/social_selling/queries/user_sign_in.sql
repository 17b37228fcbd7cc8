-- A user has signed in.
-- uses: pk_users
-- rows: at most 1
-- writes
-- pages: at most 30
-- wal: at most 1000 bytes
-- $1 uuid: the user; from users.id where deleted_at IS NULL
UPDATE users
SET last_login_at = now(),
    last_login_ip = '192.0.2.1'
WHERE id = $1
  AND deleted_at IS NULL;
