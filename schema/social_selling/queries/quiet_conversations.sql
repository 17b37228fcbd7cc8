-- What has been quiet for long, over all accounts: candidates for closing.
-- uses: idx_conversations_status
-- $1 timestamptz: since when; from (SELECT max(last_message_at) FROM conversations WHERE status = 'open')
SELECT id, client_account_id, last_message_at
FROM conversations
WHERE status = 'open'
  AND last_message_at < $1
ORDER BY last_message_at DESC
LIMIT 100;
