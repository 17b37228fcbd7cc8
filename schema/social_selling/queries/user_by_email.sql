-- Signing in: the living user of an address.
-- uses: idx_users_email
-- rows: at most 1
-- $1 text: the address; from users.email where deleted_at IS NULL
SELECT id, email, password_hash, name, subscription_tier, email_verified
FROM users
WHERE email = $1
  AND deleted_at IS NULL;
