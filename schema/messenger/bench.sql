-- What `bench plans` adds to rows at random: what only some rows of a chat or a pair of users may have.

-- a chat's first participant owns it
UPDATE chat_participants
SET role = 'owner'
FROM (
  SELECT DISTINCT ON (chat_id) id
  FROM chat_participants
  WHERE NOT EXISTS (SELECT FROM chat_participants AS owners WHERE owners.chat_id = chat_participants.chat_id AND role = 'owner')
  ORDER BY chat_id ASC, id ASC
) AS first
WHERE chat_participants.id = first.id;

-- every other participant has read all
UPDATE chat_participants
SET last_read_message_id = chats.last_message_id,
    last_read_at = chats.last_message_at
FROM chats
WHERE chats.id = chat_participants.chat_id
  AND hashtext(chat_participants.id::TEXT) % 2 = 0;

-- one message of a dozen answers its chat's first one
UPDATE messages
SET reply_to_id = first.id
FROM (SELECT DISTINCT ON (chat_id) chat_id, id FROM messages ORDER BY chat_id ASC, created_at ASC, id ASC) AS first
WHERE first.chat_id = messages.chat_id
  AND first.id <> messages.id
  AND hashtext(messages.id::TEXT) % 12 = 0;

-- half of all contacts are accepted, which both sides say
UPDATE contacts
SET status = 'accepted',
    responded_at = created_at
WHERE hashtext(id::TEXT) % 2 = 0
  AND NOT EXISTS (
    SELECT
    FROM contacts AS other
    WHERE other.user_id = contacts.contact_user_id
      AND other.contact_user_id = contacts.user_id
  );
INSERT INTO contacts (user_id, contact_user_id, status, created_at, responded_at)
SELECT contact_user_id, user_id, status, created_at, responded_at
FROM contacts
WHERE status = 'accepted'
ORDER BY created_at ASC, id ASC
ON CONFLICT (user_id, contact_user_id) DO NOTHING;

-- one chat of twenty is deleted
UPDATE chats
SET deleted_at = created_at
WHERE hashtext(id::TEXT) % 20 = 0
  AND deleted_at IS NULL;
