-- A chat's participant_count is the number of its participants, those who have left included.
SELECT chats.id, chats.participant_count, counted.participants
FROM chats
CROSS JOIN LATERAL (
  SELECT COUNT(*) AS participants
  FROM chat_participants
  WHERE chat_participants.chat_id = chats.id
) AS counted
WHERE chats.participant_count <> counted.participants;
