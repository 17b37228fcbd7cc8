-- Users, their contacts and sessions; chats, who takes part in them, and their messages with all that hangs on them.
-- What relates rows to each other beyond keys, and the limits of free texts, follow in 002-integrity.

-- An older transaction that commits after a younger one must not turn the stamp back, and a stamp that the client
-- sets itself counts for nothing: except one in the future, which is left for chk_<table>_updated_at to refuse.
CREATE FUNCTION update_updated_at_column() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  IF NEW.updated_at <= clock_timestamp() THEN
    NEW.updated_at := GREATEST(OLD.updated_at, CURRENT_TIMESTAMP);
  END IF;
  RETURN NEW;
END
$$;

CREATE TABLE users (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  username TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  display_name TEXT NOT NULL,
  avatar_url TEXT,
  bio TEXT,
  status TEXT NOT NULL DEFAULT 'offline',
  last_seen_at TIMESTAMPTZ,
  settings JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT pk_users PRIMARY KEY (id),
  CONSTRAINT chk_users_username CHECK (username ~ '^[A-Za-z0-9_]{3,50}$'),
  -- bcrypt, or argon2 in its encoded form
  CONSTRAINT chk_users_password_hash CHECK (
    password_hash ~ '^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$'
    OR password_hash
      ~ '^\$argon2(i|d|id)\$v=19\$m=[1-9][0-9]{0,9},t=[1-9][0-9]{0,9},p=[1-9][0-9]{0,7}\$[A-Za-z0-9+/]{11,64}\$[A-Za-z0-9+/]{16,86}$'
  ),
  CONSTRAINT chk_users_status CHECK (status IN ('online', 'offline', 'away')),
  CONSTRAINT chk_users_updated_at CHECK (updated_at <= clock_timestamp())
);

-- signing in; no two names that differ in case only
CREATE UNIQUE INDEX idx_users_username ON users (lower(username));
-- whose presence is stale
CREATE INDEX idx_users_status ON users (last_seen_at ASC) WHERE status <> 'offline';
-- search for people by a part of their name
CREATE INDEX idx_users_display_name ON users USING gin (display_name gin_trgm_ops);

CREATE TRIGGER update_users_updated_at
  BEFORE UPDATE ON users
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- What one user says about another: a request, an accepted contact, a block.
CREATE TABLE contacts (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  contact_user_id UUID NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending',
  nickname TEXT,
  is_favorite BOOLEAN NOT NULL DEFAULT FALSE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  responded_at TIMESTAMPTZ,
  CONSTRAINT pk_contacts PRIMARY KEY (id),
  CONSTRAINT uq_contacts_pair UNIQUE (user_id, contact_user_id),
  CONSTRAINT fk_contacts_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT fk_contacts_contact_user FOREIGN KEY (contact_user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT chk_contacts_status CHECK (status IN ('pending', 'accepted', 'declined', 'blocked')),
  CONSTRAINT chk_contacts_not_self CHECK (user_id <> contact_user_id)
);

CREATE INDEX idx_contacts_contact_user ON contacts (contact_user_id);
CREATE INDEX idx_contacts_user_status ON contacts (user_id, status, created_at DESC);
-- who waits for my answer
CREATE INDEX idx_contacts_pending ON contacts (contact_user_id, created_at DESC) WHERE status = 'pending';

CREATE TABLE chats (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  type TEXT NOT NULL,
  name TEXT,
  description TEXT,
  avatar_url TEXT,
  created_by UUID,
  last_message_id UUID,
  last_message_at TIMESTAMPTZ,
  settings JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  deleted_at TIMESTAMPTZ,
  CONSTRAINT pk_chats PRIMARY KEY (id),
  -- a chat outlives who made it
  CONSTRAINT fk_chats_created_by FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
  CONSTRAINT chk_chats_type CHECK (type IN ('direct', 'group')),
  CONSTRAINT chk_chats_name CHECK ((type = 'group') = (name IS NOT NULL)),
  CONSTRAINT chk_chats_updated_at CHECK (updated_at <= clock_timestamp())
);

CREATE INDEX idx_chats_created_by ON chats (created_by);
-- search for groups by a part of their name
CREATE INDEX idx_chats_name ON chats USING gin (name gin_trgm_ops) WHERE type = 'group' AND deleted_at IS NULL;
-- what the purge takes
CREATE INDEX idx_chats_deleted_at ON chats (deleted_at ASC) WHERE deleted_at IS NOT NULL;

CREATE TRIGGER update_chats_updated_at
  BEFORE UPDATE ON chats
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- How many messages of a chat a user has not read: derived from message_delivery, kept by 002-integrity.
CREATE TABLE unread_messages (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  chat_id UUID NOT NULL,
  unread_count INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT pk_unread_messages PRIMARY KEY (id),
  CONSTRAINT uq_unread_messages UNIQUE (user_id, chat_id),
  CONSTRAINT fk_unread_messages_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT fk_unread_messages_chat FOREIGN KEY (chat_id) REFERENCES chats (id) ON DELETE CASCADE,
  CONSTRAINT chk_unread_messages_unread_count CHECK (unread_count >= 0)
);

CREATE INDEX idx_unread_messages_chat ON unread_messages (chat_id);
-- the badge, without those who have read everything
CREATE INDEX idx_unread_messages_waiting
  ON unread_messages (user_id) INCLUDE (chat_id, unread_count)
  WHERE unread_count > 0;

CREATE TABLE messages (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  chat_id UUID NOT NULL,
  sender_id UUID,
  client_message_id UUID,
  reply_to_id UUID,
  content TEXT,
  metadata JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  edited_at TIMESTAMPTZ,
  deleted_at TIMESTAMPTZ,
  CONSTRAINT pk_messages PRIMARY KEY (id),
  -- what composite foreign keys refer to, so that what hangs on a message belongs to its chat; it serves the foreign
  -- key to chats, too
  CONSTRAINT uq_messages_chat_id UNIQUE (chat_id, id),
  -- a client that sends again after a lost answer says nothing twice
  CONSTRAINT uq_messages_client_message_id UNIQUE (chat_id, client_message_id),
  CONSTRAINT fk_messages_chat FOREIGN KEY (chat_id) REFERENCES chats (id) ON DELETE CASCADE,
  -- an answer stays where what it answers has gone
  CONSTRAINT fk_messages_reply_to
    FOREIGN KEY (chat_id, reply_to_id) REFERENCES messages (chat_id, id) ON DELETE SET NULL (reply_to_id),
  CONSTRAINT chk_messages_content CHECK (char_length(content) BETWEEN 1 AND 10000),
  CONSTRAINT chk_messages_metadata CHECK (jsonb_typeof(metadata) = 'object')
);

-- a page of a chat, and its newest message
CREATE INDEX idx_messages_chat_created ON messages (chat_id, created_at DESC, id DESC);
-- what somebody has sent lately, over all chats
CREATE INDEX idx_messages_sender ON messages (sender_id, created_at DESC);
CREATE INDEX idx_messages_reply_to ON messages (reply_to_id) WHERE reply_to_id IS NOT NULL;
CREATE INDEX idx_messages_content_search
  ON messages USING gin (to_tsvector('english', content))
  WHERE deleted_at IS NULL;
-- mentions, forwards, link previews
CREATE INDEX idx_messages_metadata ON messages USING gin (metadata jsonb_path_ops);
-- what the purge takes
CREATE INDEX idx_messages_deleted_at ON messages (deleted_at ASC) WHERE deleted_at IS NOT NULL;

CREATE TABLE chat_participants (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  chat_id UUID NOT NULL,
  user_id UUID NOT NULL,
  role TEXT NOT NULL DEFAULT 'member',
  nickname TEXT,
  joined_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  left_at TIMESTAMPTZ,
  last_read_message_id UUID,
  last_read_at TIMESTAMPTZ,
  muted_until TIMESTAMPTZ,
  pinned_at TIMESTAMPTZ,
  CONSTRAINT pk_chat_participants PRIMARY KEY (id),
  CONSTRAINT uq_chat_participants UNIQUE (chat_id, user_id),
  CONSTRAINT fk_chat_participants_chat FOREIGN KEY (chat_id) REFERENCES chats (id) ON DELETE CASCADE,
  CONSTRAINT fk_chat_participants_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  -- a message of this chat
  CONSTRAINT fk_chat_participants_last_read_message
    FOREIGN KEY (chat_id, last_read_message_id) REFERENCES messages (chat_id, id)
    ON DELETE SET NULL (last_read_message_id),
  CONSTRAINT chk_chat_participants_role CHECK (role IN ('owner', 'admin', 'member'))
);

CREATE INDEX idx_chat_participants_user ON chat_participants (user_id);
-- who takes part, in the order of joining
CREATE INDEX idx_chat_participants_active ON chat_participants (chat_id, joined_at ASC) WHERE left_at IS NULL;
-- my chats
CREATE INDEX idx_chat_participants_user_active ON chat_participants (user_id, chat_id) WHERE left_at IS NULL;
-- what stands at the top of my list
CREATE INDEX idx_chat_participants_pinned ON chat_participants (user_id, pinned_at DESC) WHERE pinned_at IS NOT NULL;
-- a chat has one owner at most
CREATE UNIQUE INDEX idx_chat_participants_owner ON chat_participants (chat_id) WHERE role = 'owner';
CREATE INDEX idx_chat_participants_last_read
  ON chat_participants (last_read_message_id)
  WHERE last_read_message_id IS NOT NULL;

-- whoever has sent a message takes part in its chat, or has left it
ALTER TABLE messages
  ADD CONSTRAINT fk_messages_sender
    FOREIGN KEY (chat_id, sender_id) REFERENCES chat_participants (chat_id, user_id)
    ON DELETE SET NULL (sender_id);

-- A message of this chat; a chat begins without one. It follows its message's key. It comes before the foreign keys of
-- what hangs on messages, so that a message that is deleted comes to its chat before its deliveries come to their counts.
ALTER TABLE chats
  ADD CONSTRAINT fk_chats_last_message
    FOREIGN KEY (id, last_message_id) REFERENCES messages (chat_id, id)
    ON UPDATE CASCADE ON DELETE SET NULL (last_message_id);

-- Images. They are uploaded first and sent, with a message, afterwards.
CREATE TABLE attachments (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  message_id UUID,
  uploaded_by UUID,
  storage_key TEXT NOT NULL,
  thumbnail_key TEXT,
  file_name TEXT NOT NULL,
  mime_type TEXT NOT NULL,
  file_size INTEGER NOT NULL,
  width INTEGER,
  height INTEGER,
  checksum TEXT,
  alt_text TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT pk_attachments PRIMARY KEY (id),
  CONSTRAINT uq_attachments_storage_key UNIQUE (storage_key),
  CONSTRAINT fk_attachments_message FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
  -- what was sent stays with those who have received it
  CONSTRAINT fk_attachments_uploaded_by FOREIGN KEY (uploaded_by) REFERENCES users (id) ON DELETE SET NULL,
  -- 10 MB
  CONSTRAINT chk_attachments_file_size CHECK (file_size BETWEEN 1 AND 10485760),
  CONSTRAINT chk_attachments_mime_type CHECK (mime_type IN ('image/jpeg', 'image/png', 'image/gif', 'image/webp'))
);

CREATE INDEX idx_attachments_message ON attachments (message_id, created_at ASC);
CREATE INDEX idx_attachments_uploaded_by ON attachments (uploaded_by, created_at DESC);
-- what was uploaded and never sent
CREATE INDEX idx_attachments_unsent ON attachments (created_at ASC) WHERE message_id IS NULL;

CREATE TABLE message_reactions (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  message_id UUID NOT NULL,
  chat_id UUID NOT NULL,
  user_id UUID NOT NULL,
  emoji TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT pk_message_reactions PRIMARY KEY (id),
  CONSTRAINT uq_message_reactions UNIQUE (message_id, emoji, user_id),
  CONSTRAINT fk_message_reactions_message
    FOREIGN KEY (message_id, chat_id) REFERENCES messages (id, chat_id) ON DELETE CASCADE,
  CONSTRAINT fk_message_reactions_user
    FOREIGN KEY (chat_id, user_id) REFERENCES chat_participants (chat_id, user_id) ON DELETE CASCADE,
  -- families and flags are sequences of up to a dozen code points
  CONSTRAINT chk_message_reactions_emoji CHECK (char_length(emoji) BETWEEN 1 AND 16)
);

CREATE INDEX idx_message_reactions_user ON message_reactions (user_id, chat_id);

-- What has become of a message at each recipient.
CREATE TABLE message_delivery (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  message_id UUID NOT NULL,
  chat_id UUID NOT NULL,
  user_id UUID NOT NULL,
  status TEXT NOT NULL DEFAULT 'sent',
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  delivered_at TIMESTAMPTZ,
  read_at TIMESTAMPTZ,
  CONSTRAINT pk_message_delivery PRIMARY KEY (id),
  CONSTRAINT uq_message_delivery UNIQUE (message_id, user_id),
  CONSTRAINT fk_message_delivery_message
    FOREIGN KEY (message_id, chat_id) REFERENCES messages (id, chat_id) ON DELETE CASCADE,
  CONSTRAINT fk_message_delivery_user
    FOREIGN KEY (chat_id, user_id) REFERENCES chat_participants (chat_id, user_id) ON DELETE CASCADE,
  CONSTRAINT chk_message_delivery_status CHECK (status IN ('sent', 'delivered', 'read'))
);

CREATE INDEX idx_message_delivery_user ON message_delivery (user_id, chat_id);
-- what marking a chat as read has to find
CREATE INDEX idx_message_delivery_unread ON message_delivery (chat_id, user_id) WHERE status <> 'read';
-- what a device gets that comes back
CREATE INDEX idx_message_delivery_pending ON message_delivery (user_id, created_at ASC) WHERE status = 'sent';

-- A user is signed in on many devices, on each of them once.
CREATE TABLE user_sessions (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  token_hash TEXT NOT NULL,
  device_id UUID NOT NULL,
  device_name TEXT,
  device_type TEXT NOT NULL,
  app_version TEXT,
  user_agent TEXT,
  ip_address INET,
  push_token TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_active_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  expires_at TIMESTAMPTZ NOT NULL,
  revoked_at TIMESTAMPTZ,
  CONSTRAINT pk_user_sessions PRIMARY KEY (id),
  CONSTRAINT uq_user_sessions_token_hash UNIQUE (token_hash),
  CONSTRAINT uq_user_sessions_device UNIQUE (user_id, device_id),
  CONSTRAINT fk_user_sessions_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  -- SHA-256: the token itself is known to its device only
  CONSTRAINT chk_user_sessions_token_hash CHECK (token_hash ~ '^[0-9a-f]{64}$')
);

-- the devices that a message is pushed to
CREATE INDEX idx_user_sessions_active ON user_sessions (user_id, last_active_at DESC) WHERE revoked_at IS NULL;
CREATE INDEX idx_user_sessions_expires_at ON user_sessions (expires_at ASC);

-- ROLLBACK
DROP TABLE user_sessions;
DROP TABLE message_delivery;
DROP TABLE message_reactions;
DROP TABLE attachments;
ALTER TABLE chats DROP CONSTRAINT fk_chats_last_message;
ALTER TABLE messages DROP CONSTRAINT fk_messages_sender;
DROP TABLE chat_participants;
DROP TABLE messages;
DROP TABLE unread_messages;
DROP TABLE chats;
DROP TABLE contacts;
DROP TABLE users;
DROP FUNCTION update_updated_at_column();
