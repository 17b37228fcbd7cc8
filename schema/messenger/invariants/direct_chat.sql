-- A direct chat has two participants at most and no name; a group has one, and one owner at most.
SELECT chats.id, chats.type, chats.name, counted.participants, counted.owners
FROM chats
CROSS JOIN LATERAL (
  SELECT COUNT(*) AS participants, COUNT(*) FILTER (WHERE chat_participants.role = 'owner') AS owners
  FROM chat_participants
  WHERE chat_participants.chat_id = chats.id
) AS counted
WHERE (chats.type = 'direct' AND counted.participants > 2)
   OR (chats.type = 'group') <> (chats.name IS NOT NULL)
   OR counted.owners > 1;
