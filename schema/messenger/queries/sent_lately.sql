-- How many messages somebody has sent since a moment: the limit of their rate.
-- uses: idx_messages_sender
-- $1 uuid: the user
-- $2 timestamptz: the moment
SELECT COUNT(*) AS sent
FROM messages
WHERE sender_id = $1
  AND created_at >= $2;
