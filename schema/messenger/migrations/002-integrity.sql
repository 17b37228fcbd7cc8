-- What the tables leave open: limits of free texts, stamps that belong to a status, and what relates rows to each other
-- beyond keys: contacts on both sides, two in a direct chat, a message that says something, a chat's last message, and
-- who has how much to read.

-- Limits, and columns that agree with each other. What an index holds has to end before the index would refuse it.
ALTER TABLE users
  ADD CONSTRAINT chk_users_display_name_length CHECK (char_length(display_name) BETWEEN 1 AND 100),
  ADD CONSTRAINT chk_users_avatar_url_length CHECK (char_length(avatar_url) BETWEEN 1 AND 2048),
  ADD CONSTRAINT chk_users_bio_length CHECK (char_length(bio) <= 500),
  ADD CONSTRAINT chk_users_settings CHECK (jsonb_typeof(settings) = 'object');

ALTER TABLE contacts
  ADD CONSTRAINT chk_contacts_nickname_length CHECK (char_length(nickname) BETWEEN 1 AND 100),
  ADD CONSTRAINT chk_contacts_responded_at CHECK ((status = 'pending') = (responded_at IS NULL));

ALTER TABLE chats
  ADD COLUMN participant_count INTEGER NOT NULL DEFAULT 0,
  ADD CONSTRAINT chk_chats_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
  ADD CONSTRAINT chk_chats_description_length CHECK (char_length(description) <= 500),
  ADD CONSTRAINT chk_chats_avatar_url_length CHECK (char_length(avatar_url) BETWEEN 1 AND 2048),
  ADD CONSTRAINT chk_chats_settings CHECK (jsonb_typeof(settings) = 'object'),
  ADD CONSTRAINT chk_chats_participant_count CHECK (participant_count >= 0),
  ADD CONSTRAINT chk_chats_direct CHECK (type <> 'direct' OR participant_count <= 2);

ALTER TABLE chat_participants
  ADD CONSTRAINT chk_chat_participants_nickname_length CHECK (char_length(nickname) BETWEEN 1 AND 100);

ALTER TABLE attachments
  ADD CONSTRAINT chk_attachments_storage_key_length CHECK (char_length(storage_key) BETWEEN 1 AND 255),
  ADD CONSTRAINT chk_attachments_thumbnail_key_length CHECK (char_length(thumbnail_key) BETWEEN 1 AND 255),
  ADD CONSTRAINT chk_attachments_file_name_length CHECK (char_length(file_name) BETWEEN 1 AND 255),
  ADD CONSTRAINT chk_attachments_width CHECK (width > 0),
  ADD CONSTRAINT chk_attachments_height CHECK (height > 0),
  ADD CONSTRAINT chk_attachments_dimensions CHECK ((width IS NULL) = (height IS NULL)),
  ADD CONSTRAINT chk_attachments_checksum CHECK (checksum ~ '^[0-9a-f]{64}$'),
  ADD CONSTRAINT chk_attachments_alt_text_length CHECK (char_length(alt_text) <= 1000);

ALTER TABLE message_delivery
  ADD CONSTRAINT chk_message_delivery_delivered_at CHECK ((status = 'sent') = (delivered_at IS NULL)),
  ADD CONSTRAINT chk_message_delivery_read_at CHECK ((status = 'read') = (read_at IS NOT NULL));

ALTER TABLE user_sessions
  ADD CONSTRAINT chk_user_sessions_device_name_length CHECK (char_length(device_name) BETWEEN 1 AND 100),
  ADD CONSTRAINT chk_user_sessions_device_type CHECK (device_type IN ('web', 'desktop', 'ios', 'android')),
  ADD CONSTRAINT chk_user_sessions_app_version_length CHECK (char_length(app_version) BETWEEN 1 AND 50),
  ADD CONSTRAINT chk_user_sessions_user_agent_length CHECK (char_length(user_agent) <= 1000),
  ADD CONSTRAINT chk_user_sessions_push_token_length CHECK (char_length(push_token) BETWEEN 1 AND 4096),
  ADD CONSTRAINT chk_user_sessions_expires_at CHECK (expires_at > created_at);

-- An accepted contact is one on both sides, at the end of every transaction: its row refers to the other side's row,
-- which must be accepted, too. Deleting either row deletes both.
ALTER TABLE contacts
  ADD COLUMN accepted_status TEXT GENERATED ALWAYS AS (CASE WHEN status = 'accepted' THEN status END) STORED,
  ADD CONSTRAINT uq_contacts_pair_status UNIQUE (user_id, contact_user_id, status),
  ADD CONSTRAINT fk_contacts_mutual
    FOREIGN KEY (contact_user_id, user_id, accepted_status) REFERENCES contacts (user_id, contact_user_id, status)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;

-- What is there already.
UPDATE chats
SET participant_count = (SELECT COUNT(*) FROM chat_participants WHERE chat_participants.chat_id = chats.id),
    (last_message_id, last_message_at) = (
      SELECT newest.id, newest.created_at
      FROM messages AS newest
      WHERE newest.chat_id = chats.id
        AND newest.deleted_at IS NULL
      ORDER BY newest.created_at DESC, newest.id DESC
      LIMIT 1
    );

DELETE FROM unread_messages;
INSERT INTO unread_messages (user_id, chat_id, unread_count)
SELECT user_id, chat_id, COUNT(*)
FROM message_delivery
WHERE status <> 'read'
GROUP BY user_id, chat_id;

DO $$
DECLARE
  empty BIGINT;
BEGIN
  SELECT COUNT(*)
  INTO empty
  FROM messages
  WHERE content IS NULL
    AND deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM attachments WHERE attachments.message_id = messages.id);

  IF empty > 0 THEN
    RAISE EXCEPTION '% messages have neither content nor an attachment', empty
      USING ERRCODE = 'check_violation', HINT = 'Delete them (deleted_at), or give them content.';
  END IF;
END
$$;

-- The triggers below keep derived columns by differences, which a wait for another writer leaves right, at every level
-- of isolation: each of them updates the row that it depends on, so that a transaction that has not seen another's
-- change is refused (40001) where it could not wait for it.
--
-- Locks are taken in one order: chats before unread_messages, and both by their keys, so that statements that share
-- chats cannot lock each other out. (The triggers of what a cascade deletes are fired after those of the statement
-- itself, in the order of the foreign keys.) Statement triggers with transition tables serve what comes in bulk; row
-- triggers for certain columns serve what is rare, and cost other updates nothing.

-- Participants, whether they have left or not: chk_chats_direct lets two of them into a direct chat.
CREATE FUNCTION count_participants() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  ids UUID[];
  differences BIGINT[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(chat_id), array_agg(number)
    INTO ids, differences
    FROM (SELECT chat_id, COUNT(*) AS number FROM inserted GROUP BY chat_id ORDER BY chat_id ASC) AS counted;
  ELSE
    SELECT array_agg(chat_id), array_agg(-number)
    INTO ids, differences
    FROM (SELECT chat_id, COUNT(*) AS number FROM deleted GROUP BY chat_id ORDER BY chat_id ASC) AS counted;
  END IF;

  FOR i IN 1 .. COALESCE(cardinality(ids), 0) LOOP
    -- finds nothing where the chat itself has been deleted
    UPDATE public.chats SET participant_count = participant_count + differences[i] WHERE id = ids[i];
  END LOOP;
  RETURN NULL;
END
$$;

CREATE FUNCTION move_participant() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  -- both locked in the order of their ids; the check of the new chat's number comes with its own update
  first CONSTANT UUID := LEAST(OLD.chat_id, NEW.chat_id);
  second CONSTANT UUID := GREATEST(OLD.chat_id, NEW.chat_id);
BEGIN
  UPDATE public.chats
  SET participant_count = participant_count + CASE id WHEN NEW.chat_id THEN 1 ELSE -1 END
  WHERE id = first;

  UPDATE public.chats
  SET participant_count = participant_count + CASE id WHEN NEW.chat_id THEN 1 ELSE -1 END
  WHERE id = second;
  RETURN NULL;
END
$$;

CREATE TRIGGER participant_insert
  AFTER INSERT ON chat_participants
  REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION count_participants();

CREATE TRIGGER participant_delete
  AFTER DELETE ON chat_participants
  REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION count_participants();

CREATE TRIGGER participant_move
  AFTER UPDATE OF chat_id ON chat_participants
  FOR EACH ROW
  WHEN (OLD.chat_id <> NEW.chat_id)
  EXECUTE FUNCTION move_participant();

-- A message has content or an attachment, or is deleted, at the end of every transaction. Rows are looked up then,
-- since what the event saw may have changed.
CREATE FUNCTION require_content() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  IF EXISTS (
    SELECT
    FROM public.messages
    WHERE messages.id = NEW.id
      AND messages.content IS NULL
      AND messages.deleted_at IS NULL
      AND NOT EXISTS (SELECT FROM public.attachments WHERE attachments.message_id = messages.id)
  ) THEN
    RAISE EXCEPTION 'message % has neither content nor an attachment', NEW.id
      USING ERRCODE = 'check_violation',
            SCHEMA = 'public',
            TABLE = 'messages',
            CONSTRAINT = 'chk_messages_not_empty',
            HINT = 'Insert its attachments in the same transaction; delete it in the one that takes its last attachment.';
  END IF;
  RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER chk_messages_not_empty
  AFTER INSERT OR UPDATE ON messages
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW
  WHEN (NEW.content IS NULL AND NEW.deleted_at IS NULL)
  EXECUTE FUNCTION require_content();

-- A message that loses an attachment is touched: so it is checked again, and so two transactions that each take one of
-- two attachments meet.
CREATE FUNCTION touch_messages() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  lost UUID;
BEGIN
  FOR lost IN SELECT DISTINCT message_id FROM deleted WHERE message_id IS NOT NULL ORDER BY message_id ASC LOOP
    UPDATE public.messages SET content = content WHERE id = lost;
  END LOOP;
  RETURN NULL;
END
$$;

CREATE FUNCTION touch_message() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE public.messages SET content = content WHERE id = OLD.message_id;
  RETURN NULL;
END
$$;

CREATE TRIGGER attachment_delete
  AFTER DELETE ON attachments
  REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION touch_messages();

CREATE TRIGGER attachment_move
  AFTER UPDATE OF message_id ON attachments
  FOR EACH ROW
  WHEN (OLD.message_id IS NOT NULL AND OLD.message_id IS DISTINCT FROM NEW.message_id)
  EXECUTE FUNCTION touch_message();

-- A chat's last message is its newest living one, by created_at and then by id. Every message takes the chat's lock,
-- also an old one: what the chat will say is known only to who holds it.
--
-- Here and below, the single row, which is the rule, has a way of its own through each statement trigger: plain
-- variables and small queries, because arrays, records and joins cost more than all else that the trigger adds.
CREATE FUNCTION advance_last_message() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  alone_chat_id UUID;
  alone_id UUID;
  alone_at TIMESTAMPTZ;
  several BOOLEAN;
  chat_ids UUID[];
  ids UUID[];
  times TIMESTAMPTZ[];
BEGIN
  SELECT chat_id, id, created_at, EXISTS (SELECT FROM inserted OFFSET 1)
  INTO alone_chat_id, alone_id, alone_at, several
  FROM inserted
  WHERE deleted_at IS NULL;

  IF NOT several THEN
    UPDATE public.chats
    SET last_message_id = CASE
          WHEN (last_message_at, last_message_id) > (alone_at, alone_id) THEN last_message_id
          ELSE alone_id
        END,
        last_message_at = GREATEST(last_message_at, alone_at)
    WHERE id = alone_chat_id;
    RETURN NULL;
  END IF;

  SELECT array_agg(newest.chat_id), array_agg(newest.id), array_agg(newest.created_at)
  INTO chat_ids, ids, times
  FROM (
    SELECT DISTINCT ON (chat_id) chat_id, id, created_at
    FROM inserted
    WHERE deleted_at IS NULL
    ORDER BY chat_id ASC, created_at DESC, id DESC
  ) AS newest;

  FOR i IN 1 .. COALESCE(cardinality(chat_ids), 0) LOOP
    UPDATE public.chats
    SET last_message_id = CASE
          WHEN (last_message_at, last_message_id) > (times[i], ids[i]) THEN last_message_id
          ELSE ids[i]
        END,
        last_message_at = GREATEST(last_message_at, times[i])
    WHERE id = chat_ids[i];
  END LOOP;
  RETURN NULL;
END
$$;

-- A newest message that may have gone is looked up in the statement after the one that takes the chat's lock, so that
-- it sees what was committed during the wait. What is found may itself be going: then the foreign key waits for it, and
-- another is looked for. (A last message that is deleted for good leaves NULL, and restore_chat looks for the next.)
CREATE FUNCTION renew_last_message() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  old_id UUID;
  old_chat_id UUID;
  old_at TIMESTAMPTZ;
  old_living BOOLEAN;
  new_id UUID;
  new_chat_id UUID;
  new_at TIMESTAMPTZ;
  new_living BOOLEAN;
  affected UUID[];
BEGIN
  SELECT id, chat_id, created_at, deleted_at IS NULL
  INTO old_id, old_chat_id, old_at, old_living
  FROM replaced;
  SELECT id, chat_id, created_at, deleted_at IS NULL
  INTO new_id, new_chat_id, new_at, new_living
  FROM changed;
  PERFORM FROM changed OFFSET 1;

  IF NOT FOUND AND new_chat_id = old_chat_id THEN
    -- one message with nothing changed that matters here: edited, touched
    IF new_id = old_id AND new_at = old_at AND new_living = old_living THEN
      RETURN NULL;
    END IF;
    affected := ARRAY[new_chat_id];
  END IF;

  IF affected IS NULL THEN
    SELECT array_agg(DISTINCT chat_id ORDER BY chat_id ASC)
    INTO affected
    FROM (
      SELECT chat_id
      FROM (
        SELECT chat_id, id, created_at, -1 AS sign FROM replaced WHERE deleted_at IS NULL
        UNION ALL
        SELECT chat_id, id, created_at, 1 AS sign FROM changed WHERE deleted_at IS NULL
      ) AS signed
      GROUP BY chat_id, id, created_at
      HAVING SUM(sign) <> 0
    ) AS different;
  END IF;

  FOR i IN 1 .. COALESCE(cardinality(affected), 0) LOOP
    PERFORM FROM public.chats WHERE id = affected[i] FOR NO KEY UPDATE;

    LOOP
      BEGIN
        UPDATE public.chats
        SET (last_message_id, last_message_at) = (
          SELECT newest.id, newest.created_at
          FROM public.messages AS newest
          WHERE newest.chat_id = affected[i]
            AND newest.deleted_at IS NULL
          ORDER BY newest.created_at DESC, newest.id DESC
          LIMIT 1
        )
        WHERE id = affected[i];
        EXIT;
      EXCEPTION
        WHEN foreign_key_violation THEN NULL;
      END;
    END LOOP;
  END LOOP;
  RETURN NULL;
END
$$;

-- A last message that moves to another chat must not take its chat's key along (ON UPDATE CASCADE): the chat lets go of
-- it first.
CREATE FUNCTION release_last_message() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE public.chats SET last_message_id = NULL WHERE id = OLD.chat_id AND last_message_id = OLD.id;
  RETURN NEW;
END
$$;

CREATE TRIGGER message_move
  BEFORE UPDATE OF chat_id ON messages
  FOR EACH ROW
  WHEN (OLD.chat_id <> NEW.chat_id)
  EXECUTE FUNCTION release_last_message();

CREATE TRIGGER message_insert
  AFTER INSERT ON messages
  REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION advance_last_message();

CREATE TRIGGER message_update
  AFTER UPDATE ON messages
  REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION renew_last_message();

-- What a client writes to a chat's derived columns is taken back before its statement ends; the count by difference,
-- because the statement may write participants, too, whose triggers come before or after this one. It is no BEFORE
-- trigger, so that nonsense (a negative count) still fails. Conditions stand in the function: as WHEN they would be
-- read anew from the catalog by every statement, and each message's statement updates a chat.
CREATE FUNCTION restore_chat() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  known INTEGER := 0;
  last_id UUID;
  last_at TIMESTAMPTZ;
BEGIN
  -- the other tables' triggers know what they write; what a foreign key does is no trigger's doing
  IF pg_trigger_depth() > 1 THEN
    RETURN NULL;
  END IF;

  IF TG_OP = 'UPDATE' THEN
    known := OLD.participant_count;
    last_id := OLD.last_message_id;
    last_at := OLD.last_message_at;
  END IF;

  IF (NEW.participant_count, NEW.last_message_id, NEW.last_message_at) IS DISTINCT FROM (known, last_id, last_at) THEN
    LOOP
      BEGIN
        UPDATE public.chats
        SET participant_count = participant_count - (NEW.participant_count - known),
            (last_message_id, last_message_at) = (
              SELECT newest.id, newest.created_at
              FROM public.messages AS newest
              WHERE newest.chat_id = NEW.id
                AND newest.deleted_at IS NULL
              ORDER BY newest.created_at DESC, newest.id DESC
              LIMIT 1
            )
        WHERE id = NEW.id;
        EXIT;
      EXCEPTION
        -- it was being deleted
        WHEN foreign_key_violation THEN NULL;
      END;
    END LOOP;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER chat_restore_derived
  AFTER INSERT OR UPDATE ON chats
  FOR EACH ROW EXECUTE FUNCTION restore_chat();

-- unread_messages counts the deliveries that are not read.
CREATE FUNCTION add_unread() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  alone_chat_id UUID;
  alone_user_id UUID;
  several BOOLEAN;
  chat_ids UUID[];
  user_ids UUID[];
  numbers BIGINT[];
BEGIN
  SELECT chat_id, user_id, EXISTS (SELECT FROM inserted OFFSET 1)
  INTO alone_chat_id, alone_user_id, several
  FROM inserted
  WHERE status <> 'read';

  IF NOT several THEN
    INSERT INTO public.unread_messages AS kept (user_id, chat_id, unread_count)
    VALUES (alone_user_id, alone_chat_id, 1)
    ON CONFLICT (user_id, chat_id) DO UPDATE SET unread_count = kept.unread_count + EXCLUDED.unread_count;
    RETURN NULL;
  END IF;

  SELECT array_agg(chat_id), array_agg(user_id), array_agg(number)
  INTO chat_ids, user_ids, numbers
  FROM (
    SELECT chat_id, user_id, COUNT(*) AS number
    FROM inserted
    WHERE status <> 'read'
    GROUP BY chat_id, user_id
    ORDER BY chat_id ASC, user_id ASC
  ) AS added;

  FOR i IN 1 .. COALESCE(cardinality(chat_ids), 0) LOOP
    INSERT INTO public.unread_messages AS kept (user_id, chat_id, unread_count)
    VALUES (user_ids[i], chat_ids[i], numbers[i])
    ON CONFLICT (user_id, chat_id) DO UPDATE SET unread_count = kept.unread_count + EXCLUDED.unread_count;
  END LOOP;
  RETURN NULL;
END
$$;

CREATE FUNCTION change_unread() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  old_chat_id UUID;
  old_user_id UUID;
  old_unread INTEGER;
  new_chat_id UUID;
  new_user_id UUID;
  new_unread INTEGER;
  difference RECORD;
BEGIN
  SELECT chat_id, user_id, (status <> 'read')::INTEGER
  INTO old_chat_id, old_user_id, old_unread
  FROM replaced;
  SELECT chat_id, user_id, (status <> 'read')::INTEGER
  INTO new_chat_id, new_user_id, new_unread
  FROM changed;
  PERFORM FROM changed OFFSET 1;

  -- one delivery, which arrived or was read
  IF NOT FOUND AND new_chat_id = old_chat_id AND new_user_id = old_user_id AND new_unread <= old_unread THEN
    IF new_unread < old_unread THEN
      UPDATE public.unread_messages
      SET unread_count = unread_count - 1
      WHERE user_id = new_user_id
        AND chat_id = new_chat_id;
    END IF;
    RETURN NULL;
  END IF;

  FOR difference IN
    SELECT chat_id, user_id, SUM(sign) AS unread
    FROM (
      SELECT chat_id, user_id, -1 AS sign FROM replaced WHERE status <> 'read'
      UNION ALL
      SELECT chat_id, user_id, 1 AS sign FROM changed WHERE status <> 'read'
    ) AS signed
    GROUP BY chat_id, user_id
    HAVING SUM(sign) <> 0
    ORDER BY chat_id ASC, user_id ASC
  LOOP
    IF difference.unread > 0 THEN
      INSERT INTO public.unread_messages AS kept (user_id, chat_id, unread_count)
      VALUES (difference.user_id, difference.chat_id, difference.unread)
      ON CONFLICT (user_id, chat_id) DO UPDATE SET unread_count = kept.unread_count + EXCLUDED.unread_count;
    ELSE
      UPDATE public.unread_messages
      SET unread_count = unread_count + difference.unread
      WHERE user_id = difference.user_id
        AND chat_id = difference.chat_id;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

CREATE FUNCTION subtract_unread() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  alone_chat_id UUID;
  alone_user_id UUID;
  several BOOLEAN;
  chat_ids UUID[];
  user_ids UUID[];
  numbers BIGINT[];
BEGIN
  SELECT chat_id, user_id, EXISTS (SELECT FROM deleted OFFSET 1)
  INTO alone_chat_id, alone_user_id, several
  FROM deleted
  WHERE status <> 'read';

  -- an update finds nothing where the chat or the user has been deleted
  IF NOT several THEN
    UPDATE public.unread_messages
    SET unread_count = unread_count - 1
    WHERE user_id = alone_user_id
      AND chat_id = alone_chat_id;
    RETURN NULL;
  END IF;

  SELECT array_agg(chat_id), array_agg(user_id), array_agg(number)
  INTO chat_ids, user_ids, numbers
  FROM (
    SELECT chat_id, user_id, COUNT(*) AS number
    FROM deleted
    WHERE status <> 'read'
    GROUP BY chat_id, user_id
    ORDER BY chat_id ASC, user_id ASC
  ) AS removed;

  FOR i IN 1 .. COALESCE(cardinality(chat_ids), 0) LOOP
    UPDATE public.unread_messages
    SET unread_count = unread_count - numbers[i]
    WHERE user_id = user_ids[i]
      AND chat_id = chat_ids[i];
  END LOOP;
  RETURN NULL;
END
$$;

CREATE TRIGGER delivery_insert
  AFTER INSERT ON message_delivery
  REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION add_unread();

CREATE TRIGGER delivery_update
  AFTER UPDATE ON message_delivery
  REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION change_unread();

CREATE TRIGGER delivery_delete
  AFTER DELETE ON message_delivery
  REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION subtract_unread();

-- A count that a client writes is taken back as those of chats are.
CREATE FUNCTION restore_unread() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  known INTEGER := 0;
BEGIN
  IF pg_trigger_depth() > 1 THEN
    RETURN NULL;
  END IF;

  IF TG_OP = 'UPDATE' THEN
    known := OLD.unread_count;
  END IF;

  IF NEW.unread_count <> known THEN
    UPDATE public.unread_messages
    SET unread_count = unread_count - (NEW.unread_count - known)
    WHERE id = NEW.id;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER unread_restore_derived
  AFTER INSERT OR UPDATE ON unread_messages
  FOR EACH ROW EXECUTE FUNCTION restore_unread();

-- A row that counts something stays, and stays its user's and its chat's: it goes with them only.
CREATE FUNCTION keep_unread() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    NEW.user_id := OLD.user_id;
    NEW.chat_id := OLD.chat_id;
    RETURN NEW;
  END IF;

  -- a cascade is itself a trigger's doing
  RETURN CASE WHEN pg_trigger_depth() > 1 THEN OLD END;
END
$$;

CREATE TRIGGER unread_keep
  BEFORE DELETE OR UPDATE OF user_id, chat_id ON unread_messages
  FOR EACH ROW
  WHEN (OLD.unread_count > 0)
  EXECUTE FUNCTION keep_unread();

-- ROLLBACK
DROP TRIGGER unread_keep ON unread_messages;
DROP TRIGGER unread_restore_derived ON unread_messages;
DROP TRIGGER delivery_delete ON message_delivery;
DROP TRIGGER delivery_update ON message_delivery;
DROP TRIGGER delivery_insert ON message_delivery;
DROP TRIGGER chat_restore_derived ON chats;
DROP TRIGGER message_update ON messages;
DROP TRIGGER message_insert ON messages;
DROP TRIGGER message_move ON messages;
DROP TRIGGER attachment_move ON attachments;
DROP TRIGGER attachment_delete ON attachments;
DROP TRIGGER chk_messages_not_empty ON messages;
DROP TRIGGER participant_move ON chat_participants;
DROP TRIGGER participant_delete ON chat_participants;
DROP TRIGGER participant_insert ON chat_participants;
DROP FUNCTION keep_unread();
DROP FUNCTION restore_unread();
DROP FUNCTION subtract_unread();
DROP FUNCTION change_unread();
DROP FUNCTION add_unread();
DROP FUNCTION restore_chat();
DROP FUNCTION release_last_message();
DROP FUNCTION renew_last_message();
DROP FUNCTION advance_last_message();
DROP FUNCTION touch_message();
DROP FUNCTION touch_messages();
DROP FUNCTION require_content();
DROP FUNCTION move_participant();
DROP FUNCTION count_participants();

ALTER TABLE contacts
  DROP CONSTRAINT fk_contacts_mutual,
  DROP CONSTRAINT uq_contacts_pair_status,
  DROP COLUMN accepted_status;
ALTER TABLE user_sessions
  DROP CONSTRAINT chk_user_sessions_expires_at,
  DROP CONSTRAINT chk_user_sessions_push_token_length,
  DROP CONSTRAINT chk_user_sessions_user_agent_length,
  DROP CONSTRAINT chk_user_sessions_app_version_length,
  DROP CONSTRAINT chk_user_sessions_device_type,
  DROP CONSTRAINT chk_user_sessions_device_name_length;
ALTER TABLE message_delivery
  DROP CONSTRAINT chk_message_delivery_read_at,
  DROP CONSTRAINT chk_message_delivery_delivered_at;
ALTER TABLE attachments
  DROP CONSTRAINT chk_attachments_alt_text_length,
  DROP CONSTRAINT chk_attachments_checksum,
  DROP CONSTRAINT chk_attachments_dimensions,
  DROP CONSTRAINT chk_attachments_height,
  DROP CONSTRAINT chk_attachments_width,
  DROP CONSTRAINT chk_attachments_file_name_length,
  DROP CONSTRAINT chk_attachments_thumbnail_key_length,
  DROP CONSTRAINT chk_attachments_storage_key_length;
ALTER TABLE chat_participants
  DROP CONSTRAINT chk_chat_participants_nickname_length;
ALTER TABLE chats
  DROP CONSTRAINT chk_chats_direct,
  DROP CONSTRAINT chk_chats_participant_count,
  DROP CONSTRAINT chk_chats_settings,
  DROP CONSTRAINT chk_chats_avatar_url_length,
  DROP CONSTRAINT chk_chats_description_length,
  DROP CONSTRAINT chk_chats_name_length,
  DROP COLUMN participant_count;
ALTER TABLE contacts
  DROP CONSTRAINT chk_contacts_responded_at,
  DROP CONSTRAINT chk_contacts_nickname_length;
ALTER TABLE users
  DROP CONSTRAINT chk_users_settings,
  DROP CONSTRAINT chk_users_bio_length,
  DROP CONSTRAINT chk_users_avatar_url_length,
  DROP CONSTRAINT chk_users_display_name_length;
