-- Whom to ask to connect anew: living accounts in some state that is not active.
-- uses: idx_client_accounts_status
-- $1 text: the state; from client_accounts.status where deleted_at IS NULL AND status <> 'active'
SELECT id, user_id, platform, username
FROM client_accounts
WHERE status = $1
  AND deleted_at IS NULL
LIMIT 100;
