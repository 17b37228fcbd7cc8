-- What the synchronisation takes next: living accounts, the longest untouched first, never synchronised ones before all.
-- uses: idx_client_accounts_last_sync
SELECT id, platform, platform_account_id
FROM client_accounts
WHERE deleted_at IS NULL
ORDER BY last_sync_at ASC NULLS FIRST
LIMIT 20;
