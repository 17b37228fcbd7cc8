-- A webhook speaks of a conversation: it is made, or brought up to date.
-- uses: idx_conversations_platform
-- rows: exactly 1
-- writes
-- pages: at most 28
-- wal: at most 800 bytes
-- $1 uuid: the account; from conversations.client_account_id
-- $2 text: the platform's id of the conversation; from (SELECT max(platform_conversation_id) FROM conversations WHERE
--      client_account_id = $1)
INSERT INTO conversations (client_account_id, platform_conversation_id, participant_platform_id, participant_username)
VALUES ($1, $2, 'customer', 'customer')
ON CONFLICT (client_account_id, platform_conversation_id) DO UPDATE
SET participant_username = EXCLUDED.participant_username;
