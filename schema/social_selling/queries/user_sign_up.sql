-- A user signs up, with an address that no living user has.
-- uses: idx_users_email
-- rows: exactly 1
-- writes
-- pages: at most 20
-- wal: at most 900 bytes
-- $1 text: the address; from 'new.' || gen_random_uuid() || '@example.com'
INSERT INTO users (email, password_hash, name)
VALUES ($1, '$2b$12$' || repeat('a', 53), 'New')
ON CONFLICT (email) WHERE deleted_at IS NULL DO NOTHING;
