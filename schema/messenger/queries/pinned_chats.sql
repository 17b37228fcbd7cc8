-- What stands at the top of a user's list.
-- uses: idx_chat_participants_pinned
-- $1 uuid: the user; from chat_participants.user_id where pinned_at IS NOT NULL
SELECT chat_id, pinned_at
FROM chat_participants
WHERE user_id = $1
  AND pinned_at IS NOT NULL
ORDER BY pinned_at DESC
LIMIT 10;
