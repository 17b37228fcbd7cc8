-- How many users pay: those of the given tier.
-- uses: idx_users_subscription_tier
-- rows: exactly 1
-- $1 text: the tier; from users.subscription_tier
SELECT COUNT(*)
FROM users
WHERE subscription_tier = $1;
