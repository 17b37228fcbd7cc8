-- How many messages somebody has sent since a moment: the limit of their rate.
-- uses: idx_messages_sender
-- $1 uuid: the user; from messages.sender_id
-- $2 timestamptz: the moment; from (SELECT max(created_at) - INTERVAL '1 day' FROM messages WHERE sender_id = $1)
SELECT COUNT(*) AS sent
FROM messages
WHERE sender_id = $1
  AND created_at >= $2;
