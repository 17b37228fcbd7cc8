-- An OAuth token's user owns its account, and their platforms agree.
SELECT
  oauth_tokens.id,
  oauth_tokens.user_id,
  oauth_tokens.platform,
  client_accounts.user_id AS account_owner,
  client_accounts.platform AS account_platform
FROM oauth_tokens
LEFT JOIN client_accounts ON client_accounts.id = oauth_tokens.client_account_id
WHERE client_accounts.user_id IS DISTINCT FROM oauth_tokens.user_id
   OR client_accounts.platform IS DISTINCT FROM oauth_tokens.platform;
