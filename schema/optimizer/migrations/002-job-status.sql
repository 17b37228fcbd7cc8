-- A job's status follows from its items, and when a transaction ends the two never contradict each other.
--
-- Whatever changes items has their job follow: RUNNING with the first that is no longer pending; when none is pending
-- or running any more, FAILED where one has failed, else DONE; and RUNNING again when there is something to do again.
-- CANCELED is a decision, which no item undoes.
-- What a client writes to jobs.status is a command: CANCELED and FAILED fail the items that are not finished, the
-- others change no item. What items contradict is refused by job_status_agrees when the transaction ends (23514), so
-- that a job and its items may be written in any order.
--
-- Whoever changes an item locks its job, and looks at the job's items only then, in a statement of its own, which sees
-- what others committed during the wait. Several jobs are locked in the order of their ids. The job's row is written
-- even where its status stays: under REPEATABLE READ a conflict is noticed (40001) by a new version of a row, not by a
-- lock.

CREATE FUNCTION follow_items() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  ids UUID[];
  followed UUID;
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(DISTINCT job_id) INTO ids FROM changed;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(DISTINCT job_id) INTO ids FROM replaced;
  ELSE
    -- jobs that have another number of items in some status than before
    SELECT array_agg(DISTINCT differences.job_id)
    INTO ids
    FROM (
      SELECT signed.job_id
      FROM (
        SELECT job_id, status, -1 AS sign FROM replaced
        UNION ALL
        SELECT job_id, status, 1 AS sign FROM changed
      ) AS signed
      GROUP BY signed.job_id, signed.status
      HAVING SUM(signed.sign) <> 0
    ) AS differences;
  END IF;

  -- DISTINCT has sorted them
  FOREACH followed IN ARRAY COALESCE(ids, '{}') LOOP
    -- finds nothing where the job itself has been deleted
    PERFORM FROM public.jobs WHERE id = followed FOR NO KEY UPDATE;

    UPDATE public.jobs
    SET status = CASE
      WHEN status = 'CANCELED' THEN status
      WHEN EXISTS (SELECT FROM public.job_items WHERE job_id = followed AND status IN ('PENDING', 'RUNNING')) THEN
        CASE
          WHEN status = 'PENDING' AND NOT EXISTS (
            SELECT FROM public.job_items WHERE job_id = followed AND status IN ('RUNNING', 'DONE', 'FAILED')
          ) THEN status
          ELSE 'RUNNING'
        END
      -- a job that is stored as FAILED, before its items: the one that failed may come last
      WHEN status = 'FAILED' AND TG_OP = 'INSERT' THEN status
      WHEN EXISTS (SELECT FROM public.job_items WHERE job_id = followed AND status = 'FAILED') THEN 'FAILED'
      WHEN EXISTS (SELECT FROM public.job_items WHERE job_id = followed) THEN 'DONE'
      ELSE status
    END
    WHERE id = followed;
  END LOOP;
  RETURN NULL;
END
$$;

CREATE TRIGGER item_follow_insert
  AFTER INSERT ON job_items
  REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION follow_items();

CREATE TRIGGER item_follow_update
  AFTER UPDATE ON job_items
  REFERENCING OLD TABLE AS replaced NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION follow_items();

CREATE TRIGGER item_follow_delete
  AFTER DELETE ON job_items
  REFERENCING OLD TABLE AS replaced
  FOR EACH STATEMENT EXECUTE FUNCTION follow_items();

-- Where a status changes, the stamps and the error that belong to it follow: those that the statement leaves as they
-- were. What it writes itself is for the CHECKs to judge. A transaction may be older than the job's start, and may
-- not end the job before it.
CREATE FUNCTION stamp_job() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  IF NEW.started_at IS NOT DISTINCT FROM OLD.started_at THEN
    NEW.started_at := CASE NEW.status
      WHEN 'PENDING' THEN NULL
      WHEN 'CANCELED' THEN OLD.started_at
      ELSE COALESCE(OLD.started_at, now())
    END;
  END IF;
  IF NEW.finished_at IS NOT DISTINCT FROM OLD.finished_at THEN
    NEW.finished_at := CASE
      WHEN NEW.status IN ('DONE', 'FAILED', 'CANCELED') THEN GREATEST(NEW.started_at, now())
    END;
  END IF;
  -- only what was FAILED has one
  IF NEW.error IS NOT DISTINCT FROM OLD.error THEN
    NEW.error := NULL;
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER job_stamp
  BEFORE UPDATE ON jobs
  FOR EACH ROW
  WHEN (NEW.status IS DISTINCT FROM OLD.status)
  EXECUTE FUNCTION stamp_job();

-- An item that is to be done again has no error any more.
CREATE FUNCTION clear_item_error() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  IF NEW.error IS NOT DISTINCT FROM OLD.error THEN
    NEW.error := NULL;
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER item_clear_error
  BEFORE UPDATE ON job_items
  FOR EACH ROW
  WHEN (OLD.status = 'FAILED' AND NEW.status <> 'FAILED')
  EXECUTE FUNCTION clear_item_error();

-- A job that is canceled, or has failed as a whole, leaves nothing to do.
CREATE FUNCTION fail_unfinished_items() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE public.job_items
  SET status = 'FAILED',
      error = CASE NEW.status WHEN 'CANCELED' THEN 'canceled' ELSE COALESCE(NEW.error, 'job failed') END
  WHERE job_id = NEW.id
    AND status IN ('PENDING', 'RUNNING');
  RETURN NULL;
END
$$;

CREATE TRIGGER job_fail_unfinished
  AFTER UPDATE ON jobs
  FOR EACH ROW
  WHEN (NEW.status IN ('CANCELED', 'FAILED') AND NEW.status IS DISTINCT FROM OLD.status)
  EXECUTE FUNCTION fail_unfinished_items();

-- The job as it is when the transaction ends counts, not as it was when a statement wrote it.
CREATE FUNCTION refuse_contradiction() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  contradicted TEXT;
BEGIN
  SELECT status
  INTO contradicted
  FROM public.jobs
  WHERE id = NEW.id
    AND CASE status
      WHEN 'PENDING' THEN EXISTS (
        SELECT FROM public.job_items WHERE job_id = NEW.id AND status IN ('RUNNING', 'DONE', 'FAILED')
      )
      WHEN 'DONE' THEN EXISTS (
        SELECT FROM public.job_items WHERE job_id = NEW.id AND status IN ('PENDING', 'RUNNING', 'FAILED')
      )
      -- what is not finished has been failed with it, or has it run again
      WHEN 'FAILED' THEN NOT EXISTS (SELECT FROM public.job_items WHERE job_id = NEW.id AND status = 'FAILED')
      WHEN 'CANCELED' THEN EXISTS (
        SELECT FROM public.job_items WHERE job_id = NEW.id AND status IN ('PENDING', 'RUNNING')
      )
    END;

  IF FOUND THEN
    RAISE EXCEPTION 'the items of job % contradict its status %', NEW.id, contradicted
      USING ERRCODE = 'check_violation',
            CONSTRAINT = TG_NAME,
            SCHEMA = TG_TABLE_SCHEMA,
            TABLE = TG_TABLE_NAME,
            HINT = 'DONE: all items DONE. FAILED: one at least FAILED, none PENDING or RUNNING. '
              'CANCELED: none PENDING or RUNNING. PENDING: all items PENDING.';
  END IF;
  RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER job_status_agrees
  AFTER INSERT OR UPDATE ON jobs
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW
  WHEN (NEW.status <> 'RUNNING')
  EXECUTE FUNCTION refuse_contradiction();

REVOKE ALL ON FUNCTION
  follow_items(), stamp_job(), clear_item_error(), fail_unfinished_items(), refuse_contradiction()
FROM PUBLIC;

-- ROLLBACK
DROP TRIGGER job_status_agrees ON jobs;
DROP TRIGGER job_fail_unfinished ON jobs;
DROP TRIGGER job_stamp ON jobs;
DROP TRIGGER item_clear_error ON job_items;
DROP TRIGGER item_follow_delete ON job_items;
DROP TRIGGER item_follow_update ON job_items;
DROP TRIGGER item_follow_insert ON job_items;
DROP FUNCTION refuse_contradiction();
DROP FUNCTION fail_unfinished_items();
DROP FUNCTION clear_item_error();
DROP FUNCTION stamp_job();
DROP FUNCTION follow_items();
