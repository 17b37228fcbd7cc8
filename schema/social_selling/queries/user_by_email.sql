-- Signing in: the living user of an address.
-- uses: idx_users_email
-- $1 text: the address
SELECT id, email, password_hash, name, subscription_tier, email_verified
FROM users
WHERE email = $1
  AND deleted_at IS NULL;
