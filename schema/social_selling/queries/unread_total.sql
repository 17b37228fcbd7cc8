-- The badge: how many messages an account has not read.
-- uses: idx_conversations_active
-- $1 uuid: the account; from conversations.client_account_id where status = 'open'
SELECT COALESCE(SUM(unread_count), 0) AS unread
FROM conversations
WHERE client_account_id = $1
  AND status = 'open';
