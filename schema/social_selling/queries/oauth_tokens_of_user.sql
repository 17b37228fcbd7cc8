-- All tokens that a user's accounts ever had: what is revoked with the platforms when the user leaves.
-- uses: idx_oauth_tokens_user_id
-- $1 uuid: the user; from oauth_tokens.user_id
SELECT client_account_id, platform, revoked_at
FROM oauth_tokens
WHERE user_id = $1
ORDER BY client_account_id ASC, platform ASC
LIMIT 100;
