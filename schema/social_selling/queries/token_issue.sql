-- A session begins, or goes on: it gets a token.
-- uses: pk_users
-- rows: exactly 1
-- writes
-- pages: at most 22
-- wal: at most 800 bytes
-- $1 uuid: the user; from refresh_tokens.user_id
INSERT INTO refresh_tokens (user_id, token_hash, expires_at)
VALUES ($1, encode(sha256(gen_random_uuid()::TEXT::BYTEA), 'hex'), now() + INTERVAL '30 days');
