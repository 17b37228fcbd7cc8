-- Development data: alice, bob, charlie and diana (password of each: Messenger123!), what they are to each other, two
-- direct chats, a group, and what has become of their messages. The same rows on every database, and no more of them
-- when run again. Never for production.
DO $$
BEGIN
  IF lower(btrim(current_setting('pgcontract.environment', TRUE))) = 'production' THEN
    RAISE EXCEPTION 'this database is marked as production: no seed data'
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'ALTER DATABASE … SET pgcontract.environment says what a database is for';
  END IF;
END
$$;

INSERT INTO users (id, username, password_hash, display_name, bio, status, last_seen_at, created_at, updated_at)
SELECT
  ('00000000-0000-4000-8000-0000000000' || seeded.number)::UUID,
  seeded.username,
  '$2a$10$RyfolavwazvX0xo4gqWvH.4aJVLgeF1SobkQga3RpY6u9.ZhbHk8e',
  seeded.display_name,
  seeded.bio,
  seeded.status,
  '2025-01-06 12:00:00+00',
  '2025-01-01 09:00:00+00',
  '2025-01-01 09:00:00+00'
FROM (
  VALUES
    ('01', 'alice', 'Alice Archer', 'Mountains, mostly.', 'online'),
    ('02', 'bob', 'Bob Baker', 'Bread and bicycles.', 'away'),
    ('03', 'charlie', 'Charlie Chandler', NULL, 'offline'),
    ('04', 'diana', 'Diana Draper', NULL, 'offline')
) AS seeded (number, username, display_name, bio, status)
ON CONFLICT DO NOTHING;

-- accepted ones stand on both sides; diana has not answered charlie yet, and wants to hear nothing of bob
INSERT INTO contacts (user_id, contact_user_id, status, nickname, is_favorite, created_at, responded_at)
SELECT
  owner.id,
  other.id,
  seeded.status,
  seeded.nickname,
  seeded.is_favorite,
  '2025-01-02 10:00:00+00',
  seeded.responded_at::TIMESTAMPTZ
FROM (
  VALUES
    ('alice', 'bob', 'accepted', 'Bobby', TRUE, '2025-01-02 10:30:00+00'),
    ('bob', 'alice', 'accepted', NULL, FALSE, '2025-01-02 10:30:00+00'),
    ('alice', 'charlie', 'accepted', NULL, FALSE, '2025-01-02 11:00:00+00'),
    ('charlie', 'alice', 'accepted', NULL, TRUE, '2025-01-02 11:00:00+00'),
    ('alice', 'diana', 'accepted', NULL, FALSE, '2025-01-03 08:00:00+00'),
    ('diana', 'alice', 'accepted', 'Al', FALSE, '2025-01-03 08:00:00+00'),
    ('charlie', 'diana', 'pending', NULL, FALSE, NULL),
    ('diana', 'bob', 'blocked', NULL, FALSE, '2025-01-04 20:00:00+00')
) AS seeded (owner, other, status, nickname, is_favorite, responded_at)
JOIN users AS owner ON owner.username = seeded.owner
JOIN users AS other ON other.username = seeded.other
ON CONFLICT DO NOTHING;

INSERT INTO chats (id, type, name, description, created_by, created_at, updated_at)
SELECT
  seeded.id::UUID,
  seeded.type,
  seeded.name,
  seeded.description,
  users.id,
  '2025-01-05 09:00:00+00',
  '2025-01-05 09:00:00+00'
FROM (
  VALUES
    ('00000000-0000-4000-8000-0000000000c1', 'direct', NULL, NULL, 'alice'),
    ('00000000-0000-4000-8000-0000000000c2', 'direct', NULL, NULL, 'charlie'),
    ('00000000-0000-4000-8000-0000000000c3', 'group', 'Weekend hike', 'Saturday, if the weather holds', 'alice')
) AS seeded (id, type, name, description, creator)
JOIN users ON users.username = seeded.creator
ON CONFLICT DO NOTHING;

INSERT INTO chat_participants (chat_id, user_id, role, joined_at)
SELECT seeded.chat_id::UUID, users.id, seeded.role, '2025-01-05 09:00:00+00'
FROM (
  VALUES
    ('00000000-0000-4000-8000-0000000000c1', 'alice', 'member'),
    ('00000000-0000-4000-8000-0000000000c1', 'bob', 'member'),
    ('00000000-0000-4000-8000-0000000000c2', 'alice', 'member'),
    ('00000000-0000-4000-8000-0000000000c2', 'charlie', 'member'),
    ('00000000-0000-4000-8000-0000000000c3', 'alice', 'owner'),
    ('00000000-0000-4000-8000-0000000000c3', 'bob', 'member'),
    ('00000000-0000-4000-8000-0000000000c3', 'charlie', 'admin'),
    ('00000000-0000-4000-8000-0000000000c3', 'diana', 'member')
) AS seeded (chat_id, username, role)
JOIN users ON users.username = seeded.username
ON CONFLICT DO NOTHING;

INSERT INTO messages (id, chat_id, sender_id, reply_to_id, content, metadata, created_at)
SELECT
  ('00000000-0000-4000-8000-0000000000' || seeded.number)::UUID,
  ('00000000-0000-4000-8000-0000000000' || seeded.chat)::UUID,
  users.id,
  ('00000000-0000-4000-8000-0000000000' || seeded.answered)::UUID,
  seeded.content,
  seeded.metadata::JSONB,
  seeded.created_at::TIMESTAMPTZ
FROM (
  VALUES
    ('d1', 'c1', 'alice', NULL, 'Hi Bob, how are you?', '{}', '2025-01-05 10:00:00+00'),
    ('d2', 'c1', 'bob', 'd1', 'Fine, thanks! Baking all morning.', '{}', '2025-01-05 10:01:00+00'),
    ('d3', 'c1', 'alice', NULL, 'Keep a loaf for Saturday.', '{}', '2025-01-05 10:02:00+00'),
    ('d4', 'c2', 'charlie', NULL, 'Are you coming on Saturday?', '{}', '2025-01-05 11:00:00+00'),
    ('d5', 'c2', 'alice', 'd4', 'Of course, I have made a group for it.', '{}', '2025-01-05 11:05:00+00'),
    ('d6', 'c3', 'alice', NULL, 'Welcome, everybody! We meet at eight.', '{}', '2025-01-05 12:00:00+00'),
    ('d7', 'c3', 'bob', NULL, 'I bring the bread.', '{}', '2025-01-05 12:03:00+00'),
    ('d8', 'c3', 'charlie', NULL, 'This is our path.', '{"mentions": ["diana"]}', '2025-01-05 12:07:00+00')
) AS seeded (number, chat, username, answered, content, metadata, created_at)
JOIN users ON users.username = seeded.username
ON CONFLICT DO NOTHING;

INSERT INTO attachments (
  id, message_id, uploaded_by, storage_key, thumbnail_key, file_name, mime_type, file_size, width, height, alt_text,
  created_at
)
SELECT
  '00000000-0000-4000-8000-0000000000a8',
  '00000000-0000-4000-8000-0000000000d8',
  users.id,
  '2025/01/05/path.jpg',
  '2025/01/05/path-thumbnail.jpg',
  'path.jpg',
  'image/jpeg',
  482133,
  1600,
  1200,
  'A map with a red line from the station to the summit',
  '2025-01-05 12:06:00+00'
FROM users
WHERE users.username = 'charlie'
ON CONFLICT DO NOTHING;

INSERT INTO message_reactions (message_id, chat_id, user_id, emoji, created_at)
SELECT messages.id, messages.chat_id, users.id, seeded.emoji, '2025-01-05 12:10:00+00'
FROM (
  VALUES
    ('00000000-0000-4000-8000-0000000000d7', 'alice', '🍞'),
    ('00000000-0000-4000-8000-0000000000d7', 'charlie', '👍'),
    ('00000000-0000-4000-8000-0000000000d8', 'alice', '👍')
) AS seeded (message_id, username, emoji)
JOIN messages ON messages.id = seeded.message_id::UUID
JOIN users ON users.username = seeded.username
ON CONFLICT DO NOTHING;

-- alice has read everything, bob what came to him directly; charlie's telephone has received what he has not looked at,
-- and diana's has been off
INSERT INTO message_delivery (message_id, chat_id, user_id, status, created_at, delivered_at, read_at)
SELECT
  messages.id,
  messages.chat_id,
  users.id,
  state.status,
  messages.created_at,
  CASE WHEN state.status <> 'sent' THEN messages.created_at + INTERVAL '1 second' END,
  CASE WHEN state.status = 'read' THEN messages.created_at + INTERVAL '1 minute' END
FROM messages
JOIN chats ON chats.id = messages.chat_id
JOIN chat_participants
  ON chat_participants.chat_id = messages.chat_id
  AND chat_participants.user_id <> messages.sender_id
JOIN users ON users.id = chat_participants.user_id
CROSS JOIN LATERAL (
  SELECT
    CASE
      WHEN users.username = 'alice' OR (users.username = 'bob' AND chats.type = 'direct') THEN 'read'
      WHEN users.username = 'diana' THEN 'sent'
      ELSE 'delivered'
    END AS status
) AS state
WHERE messages.id BETWEEN '00000000-0000-4000-8000-0000000000d1' AND '00000000-0000-4000-8000-0000000000d8'
ON CONFLICT DO NOTHING;

UPDATE chat_participants
SET last_read_message_id = newest.message_id,
    last_read_at = newest.read_at
FROM (
  SELECT DISTINCT ON (message_delivery.chat_id, message_delivery.user_id)
    message_delivery.chat_id,
    message_delivery.user_id,
    message_delivery.message_id,
    message_delivery.read_at
  FROM message_delivery
  JOIN messages ON messages.id = message_delivery.message_id
  WHERE message_delivery.status = 'read'
    AND messages.id BETWEEN '00000000-0000-4000-8000-0000000000d1' AND '00000000-0000-4000-8000-0000000000d8'
  ORDER BY message_delivery.chat_id ASC, message_delivery.user_id ASC, messages.created_at DESC
) AS newest
WHERE chat_participants.chat_id = newest.chat_id
  AND chat_participants.user_id = newest.user_id
  AND chat_participants.last_read_message_id IS NULL;
