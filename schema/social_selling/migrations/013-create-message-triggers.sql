-- Triggers that keep what conversations derive from their messages: unread_count is the number of unread customer
-- messages, last_message_at the latest sent_at.
--
-- Statement triggers with transition tables: row triggers on one hot conversation make a bulk load quadratic. The
-- single row, which is the rule, has a way of its own through each function: no aggregate, no loop, and as few queries
-- as can tell that it is alone.
--
-- Conversations are locked one by one in the order of their ids, so that statements that share conversations cannot
-- lock each other out. Every change takes the lock, also one that seems to change nothing: what the conversation will
-- say is known only to who holds it. Counts change by differences and times by GREATEST, which a wait for another
-- writer leaves right. A maximum that may have gone is looked up in the statement after the one that takes the lock,
-- so that it sees what was committed during the wait.

CREATE FUNCTION increment_unread_count() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  added RECORD;
BEGIN
  SELECT conversation_id AS id, (sender_type = 'customer' AND NOT is_read)::INTEGER AS unread, sent_at AS latest
  INTO added
  FROM inserted;
  PERFORM FROM inserted OFFSET 1;

  IF NOT FOUND THEN
    UPDATE public.conversations
    SET unread_count = unread_count + added.unread,
        last_message_at = GREATEST(last_message_at, added.latest)
    WHERE id = added.id;
    RETURN NULL;
  END IF;

  FOR added IN
    SELECT
      conversation_id AS id,
      COUNT(*) FILTER (WHERE sender_type = 'customer' AND NOT is_read) AS unread,
      MAX(sent_at) AS latest
    FROM inserted
    GROUP BY conversation_id
    ORDER BY conversation_id ASC
  LOOP
    UPDATE public.conversations
    SET unread_count = unread_count + added.unread,
        last_message_at = GREATEST(last_message_at, added.latest)
    WHERE id = added.id;
  END LOOP;
  RETURN NULL;
END
$$;

CREATE FUNCTION decrement_unread_count() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  old_id UUID;
  old_unread INTEGER;
  old_sent_at TIMESTAMPTZ;
  new_id UUID;
  new_unread INTEGER;
  new_sent_at TIMESTAMPTZ;
  difference RECORD;
BEGIN
  SELECT conversation_id, (sender_type = 'customer' AND NOT is_read)::INTEGER, sent_at
  INTO old_id, old_unread, old_sent_at
  FROM replaced;
  SELECT conversation_id, (sender_type = 'customer' AND NOT is_read)::INTEGER, sent_at
  INTO new_id, new_unread, new_sent_at
  FROM changed;
  PERFORM FROM changed OFFSET 1;

  -- one message, read or unread or with nothing changed that matters here (a delivery, new metadata)
  IF NOT FOUND AND new_id = old_id AND new_sent_at = old_sent_at THEN
    IF new_unread <> old_unread THEN
      UPDATE public.conversations SET unread_count = unread_count + new_unread - old_unread WHERE id = new_id;
    END IF;
    RETURN NULL;
  END IF;

  FOR difference IN
    SELECT
      conversation_id AS id,
      COALESCE(SUM(sign) FILTER (WHERE sender_type = 'customer' AND NOT is_read), 0) AS unread,
      MAX(sent_at) FILTER (WHERE sign < 0) AS gone,
      MAX(sent_at) FILTER (WHERE sign > 0) AS latest
    FROM (
      SELECT conversation_id, sender_type, is_read, sent_at, -1 AS sign FROM replaced
      UNION ALL
      SELECT conversation_id, sender_type, is_read, sent_at, 1 AS sign FROM changed
    ) AS signed
    GROUP BY conversation_id
    HAVING COALESCE(SUM(sign) FILTER (WHERE sender_type = 'customer' AND NOT is_read), 0) <> 0
      OR MAX(sent_at) FILTER (WHERE sign < 0) IS DISTINCT FROM MAX(sent_at) FILTER (WHERE sign > 0)
    ORDER BY conversation_id ASC
  LOOP
    PERFORM FROM public.conversations WHERE id = difference.id FOR NO KEY UPDATE;

    UPDATE public.conversations
    SET unread_count = unread_count + difference.unread,
        last_message_at = CASE
          WHEN difference.gone > difference.latest OR difference.latest IS NULL
            THEN (SELECT MAX(sent_at) FROM public.messages WHERE conversation_id = difference.id)
          ELSE GREATEST(last_message_at, difference.latest)
        END
    WHERE id = difference.id;
  END LOOP;
  RETURN NULL;
END
$$;

CREATE FUNCTION subtract_deleted_messages() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  removed RECORD;
BEGIN
  SELECT conversation_id AS id, (sender_type = 'customer' AND NOT is_read)::INTEGER AS unread
  INTO removed
  FROM deleted;
  PERFORM FROM deleted OFFSET 1;

  IF NOT FOUND THEN
    -- finds nothing where the conversation itself has been deleted
    PERFORM FROM public.conversations WHERE id = removed.id FOR NO KEY UPDATE;

    UPDATE public.conversations
    SET unread_count = unread_count - removed.unread,
        last_message_at = (SELECT MAX(sent_at) FROM public.messages WHERE conversation_id = removed.id)
    WHERE id = removed.id;
    RETURN NULL;
  END IF;

  FOR removed IN
    SELECT conversation_id AS id, COUNT(*) FILTER (WHERE sender_type = 'customer' AND NOT is_read) AS unread
    FROM deleted
    GROUP BY conversation_id
    ORDER BY conversation_id ASC
  LOOP
    PERFORM FROM public.conversations WHERE id = removed.id FOR NO KEY UPDATE;

    UPDATE public.conversations
    SET unread_count = unread_count - removed.unread,
        last_message_at = (SELECT MAX(sent_at) FROM public.messages WHERE conversation_id = removed.id)
    WHERE id = removed.id;
  END LOOP;
  RETURN NULL;
END
$$;

CREATE TRIGGER message_increment_unread
  AFTER INSERT ON messages
  REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION increment_unread_count();

CREATE TRIGGER message_decrement_unread
  AFTER UPDATE ON messages
  REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION decrement_unread_count();

CREATE TRIGGER message_subtract_deleted
  AFTER DELETE ON messages
  REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION subtract_deleted_messages();

-- What a client writes to the derived columns is taken back before its statement ends; by difference, because the
-- statement may write messages, too, whose triggers come before or after this one. It is no BEFORE trigger, so that
-- nonsense (a negative count) still fails. Conditions stand in the function: as WHEN they would be read anew from the
-- catalog by every statement, and each message's statement updates a conversation.
CREATE FUNCTION restore_derived_columns() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  known INTEGER := 0;
  latest TIMESTAMPTZ;
BEGIN
  -- the messages' own triggers know what they write
  IF pg_trigger_depth() > 1 THEN
    RETURN NULL;
  END IF;

  IF TG_OP = 'UPDATE' THEN
    known := OLD.unread_count;
    latest := OLD.last_message_at;
  END IF;

  IF NEW.unread_count <> known OR NEW.last_message_at IS DISTINCT FROM latest THEN
    UPDATE public.conversations
    SET unread_count = unread_count - (NEW.unread_count - known),
        last_message_at = (SELECT MAX(sent_at) FROM public.messages WHERE conversation_id = NEW.id)
    WHERE id = NEW.id;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER conversation_restore_derived
  AFTER INSERT OR UPDATE OF unread_count, last_message_at ON conversations
  FOR EACH ROW EXECUTE FUNCTION restore_derived_columns();

-- ROLLBACK
DROP TRIGGER conversation_restore_derived ON conversations;
DROP TRIGGER message_subtract_deleted ON messages;
DROP TRIGGER message_decrement_unread ON messages;
DROP TRIGGER message_increment_unread ON messages;
DROP FUNCTION restore_derived_columns();
DROP FUNCTION subtract_deleted_messages();
DROP FUNCTION decrement_unread_count();
DROP FUNCTION increment_unread_count();
