-- Connecting an account, or connecting it again.
-- uses: idx_client_accounts_platform_account
-- rows: exactly 1
-- writes
-- pages: at most 42
-- wal: at most 1200 bytes
-- $1 uuid: the user; from client_accounts.user_id where deleted_at IS NULL
-- $2 text: the platform; from client_accounts.platform
-- $3 text: its own id of the account; from client_accounts.platform_account_id
INSERT INTO client_accounts (user_id, platform, platform_account_id, username)
VALUES ($1, $2, $3, 'shop')
ON CONFLICT (platform, platform_account_id) WHERE deleted_at IS NULL DO UPDATE
SET username = EXCLUDED.username,
    status = 'active';
