-- What has become of a message at each of its recipients.
-- uses: uq_message_delivery
-- $1 uuid: the message; from message_delivery.message_id
SELECT user_id, status, delivered_at, read_at
FROM message_delivery
WHERE message_id = $1
ORDER BY user_id ASC
LIMIT 500;
