-- Somebody comes online.
-- uses: pk_users
-- rows: at most 1
-- writes
-- pages: at most 28
-- wal: at most 1300 bytes
-- $1 uuid: the user; from users.id
UPDATE users
SET status = 'online',
    last_seen_at = now()
WHERE id = $1;
