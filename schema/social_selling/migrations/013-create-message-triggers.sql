-- Triggers that keep what conversations derive from their messages: unread_count is the number of unread customer
-- messages, last_message_at the latest sent_at. They hold under inserts, reads and unreads, moves, changes of sender
-- and time, deletes, upserts and cascades, of one row and of many.
--
-- Statement triggers with transition tables: row triggers on one hot conversation make a bulk load quadratic.
-- Every touched conversation is locked, in the order of ids where there are several, so that statements that share
-- conversations cannot lock each other out; counts change by differences, which survive a wait for another writer.
-- A maximum does not: it is taken again in a statement of its own, which sees what was committed during the wait.

CREATE FUNCTION increment_unread_count() RETURNS TRIGGER
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF (SELECT COUNT(*) FROM (SELECT FROM inserted GROUP BY conversation_id LIMIT 2) AS several) > 1 THEN
    PERFORM FROM public.conversations
    WHERE id IN (SELECT conversation_id FROM inserted)
    ORDER BY id ASC
    FOR NO KEY UPDATE;
  END IF;

  -- also where nothing seems to change: only who holds the lock knows the latest message
  UPDATE public.conversations
  SET unread_count = unread_count + added.unread,
      last_message_at = GREATEST(last_message_at, added.latest)
  FROM (
    SELECT
      conversation_id,
      COUNT(*) FILTER (WHERE sender_type = 'customer' AND NOT is_read) AS unread,
      MAX(sent_at) AS latest
    FROM inserted
    GROUP BY conversation_id
  ) AS added
  WHERE id = added.conversation_id;
  RETURN NULL;
END
$$;

CREATE FUNCTION decrement_unread_count() RETURNS TRIGGER
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  touched UUID[];
  redated UUID[];
BEGIN
  -- what neither the count nor the latest message depends on (delivery, metadata, content) touches no conversation
  SELECT
    array_agg(conversation_id),
    array_agg(conversation_id) FILTER (WHERE NOT same_latest)
  INTO touched, redated
  FROM (
    SELECT
      conversation_id,
      MAX(sent_at) FILTER (WHERE sign > 0) IS NOT DISTINCT FROM MAX(sent_at) FILTER (WHERE sign < 0) AS same_latest
    FROM (
      SELECT conversation_id, sender_type, is_read, sent_at, 1 AS sign FROM changed
      UNION ALL
      SELECT conversation_id, sender_type, is_read, sent_at, -1 AS sign FROM replaced
    ) AS difference
    GROUP BY conversation_id
    HAVING SUM(sign) FILTER (WHERE sender_type = 'customer' AND NOT is_read) <> 0
      OR MAX(sent_at) FILTER (WHERE sign > 0) IS DISTINCT FROM MAX(sent_at) FILTER (WHERE sign < 0)
  ) AS conversation;

  IF touched IS NULL THEN
    RETURN NULL;
  END IF;

  IF cardinality(touched) > 1 OR redated IS NOT NULL THEN
    PERFORM FROM public.conversations WHERE id = ANY (touched) ORDER BY id ASC FOR NO KEY UPDATE;
  END IF;

  UPDATE public.conversations
  SET unread_count = unread_count + difference.unread
  FROM (
    SELECT conversation_id, SUM(sign) AS unread
    FROM (
      SELECT conversation_id, 1 AS sign FROM changed WHERE sender_type = 'customer' AND NOT is_read
      UNION ALL
      SELECT conversation_id, -1 AS sign FROM replaced WHERE sender_type = 'customer' AND NOT is_read
    ) AS signed
    GROUP BY conversation_id
  ) AS difference
  WHERE id = difference.conversation_id;

  IF redated IS NOT NULL THEN
    UPDATE public.conversations
    SET last_message_at = (
      SELECT MAX(sent_at) FROM public.messages WHERE messages.conversation_id = conversations.id
    )
    WHERE id = ANY (redated);
  END IF;
  RETURN NULL;
END
$$;

CREATE FUNCTION subtract_unread_count() RETURNS TRIGGER
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM public.conversations
  WHERE id IN (SELECT conversation_id FROM deleted)
  ORDER BY id ASC
  FOR NO KEY UPDATE;

  UPDATE public.conversations
  SET unread_count = unread_count - removed.unread,
      last_message_at = (SELECT MAX(sent_at) FROM public.messages WHERE messages.conversation_id = conversations.id)
  FROM (
    SELECT conversation_id, COUNT(*) FILTER (WHERE sender_type = 'customer' AND NOT is_read) AS unread
    FROM deleted
    GROUP BY conversation_id
  ) AS removed
  WHERE id = removed.conversation_id;
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

CREATE TRIGGER message_subtract_unread
  AFTER DELETE ON messages
  REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION subtract_unread_count();
