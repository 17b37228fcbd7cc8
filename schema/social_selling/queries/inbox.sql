-- The inbox: an account's open conversations, the latest first.
-- uses: idx_conversations_active
-- $1 uuid: the account; from conversations.client_account_id where status = 'open'
SELECT id, participant_username, participant_profile_pic, last_message_at, unread_count
FROM conversations
WHERE client_account_id = $1
  AND status = 'open'
ORDER BY last_message_at DESC NULLS LAST
LIMIT 50;
