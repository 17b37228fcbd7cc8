-- Before every call of a platform: an account's token.
-- uses: idx_oauth_tokens_client_account
-- rows: at most 1
-- $1 uuid: the account; from oauth_tokens.client_account_id where revoked_at IS NULL
SELECT id, access_token, token_type, expires_at, scopes
FROM oauth_tokens
WHERE client_account_id = $1
  AND revoked_at IS NULL;
