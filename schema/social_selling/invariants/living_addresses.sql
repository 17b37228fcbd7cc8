-- No two living users share an address, no two living accounts a place on their platform, no account two valid tokens.
SELECT 'user' AS what, email AS shared
FROM users
WHERE deleted_at IS NULL
GROUP BY email
HAVING COUNT(*) > 1
UNION ALL
SELECT 'account' AS what, platform || ' ' || platform_account_id AS shared
FROM client_accounts
WHERE deleted_at IS NULL
GROUP BY platform, platform_account_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'token' AS what, client_account_id::TEXT AS shared
FROM oauth_tokens
WHERE revoked_at IS NULL
GROUP BY client_account_id
HAVING COUNT(*) > 1;
