-- A webhook comes in: which living account it is for.
-- uses: idx_client_accounts_platform_account
-- rows: at most 1
-- $1 text: the platform; from client_accounts.platform where deleted_at IS NULL
-- $2 text: its own id of the account; from client_accounts.platform_account_id
SELECT id, user_id, status
FROM client_accounts
WHERE platform = $1
  AND platform_account_id = $2
  AND deleted_at IS NULL;
