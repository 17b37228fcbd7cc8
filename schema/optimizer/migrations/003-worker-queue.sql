-- The workers' queue: job_items that are PENDING, the oldest first.
--
-- A worker claims items, works outside of any transaction, and finishes or fails each with the stamp (updated_at) that
-- its claim gave: a claim that is no longer its own, because the item was canceled or put back, is answered with
-- false (or NULL), and nothing is written. Items of workers that died are put back by how long they have not been
-- heard of; who needs longer than that says so with extend_claim.
--
-- Each function locks a job first and its items then, as whoever cancels or deletes a job does, and several jobs in
-- the order of their ids: they cannot lock each other out. They run with the rights of who calls them.

CREATE FUNCTION claim_items(most INTEGER DEFAULT 1) RETURNS SETOF job_items
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tried UUID[] := '{}';
  chosen UUID;
BEGIN
  IF most IS NULL OR most < 1 THEN
    RAISE EXCEPTION 'cannot claim % items', most
      USING ERRCODE = 'invalid_parameter_value', HINT = 'claim one or more';
  END IF;

  -- Of one job at a time, so that one job is locked. Where others were faster, or hold what is left, its lock is given
  -- back, by rolling back to before it, and another job has its turn: who waits for one job while holding another can
  -- be locked out.
  LOOP
    SELECT job_id
    INTO chosen
    FROM public.job_items
    WHERE status = 'PENDING'
      AND job_id <> ALL (tried)
    ORDER BY created_at ASC
    LIMIT 1;
    EXIT WHEN NOT FOUND;

    BEGIN
      PERFORM FROM public.jobs WHERE id = chosen FOR NO KEY UPDATE;

      RETURN QUERY
        UPDATE public.job_items
        SET status = 'RUNNING'
        -- ARRAY, because a subquery could be run again, and lock more
        WHERE id = ANY (ARRAY(
          SELECT id
          FROM public.job_items
          WHERE job_id = chosen
            AND status = 'PENDING'
          ORDER BY created_at ASC
          LIMIT most
          FOR NO KEY UPDATE SKIP LOCKED
        ))
        RETURNING
          id, job_id, product_id, attribute, before_value, after_value, status, error, created_at, updated_at;
      EXIT WHEN FOUND;
      RAISE no_data_found;
    EXCEPTION
      WHEN no_data_found THEN tried := tried || chosen;
    END;
  END LOOP;
END
$$;

CREATE FUNCTION finish_item(item UUID, claimed TIMESTAMPTZ, result TEXT) RETURNS BOOLEAN
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM public.jobs WHERE id = (SELECT job_id FROM public.job_items WHERE id = item) FOR NO KEY UPDATE;

  UPDATE public.job_items
  SET status = 'DONE',
      after_value = result
  WHERE id = item
    AND status = 'RUNNING'
    AND updated_at = claimed;
  RETURN FOUND;
END
$$;

CREATE FUNCTION fail_item(item UUID, claimed TIMESTAMPTZ, reason TEXT) RETURNS BOOLEAN
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM public.jobs WHERE id = (SELECT job_id FROM public.job_items WHERE id = item) FOR NO KEY UPDATE;

  UPDATE public.job_items
  SET status = 'FAILED',
      -- an exception may have nothing to say, and has failed all the same
      error = NULLIF(reason, '')
  WHERE id = item
    AND status = 'RUNNING'
    AND updated_at = claimed;
  RETURN FOUND;
END
$$;

-- The claim's new stamp; NULL where it is lost.
CREATE FUNCTION extend_claim(item UUID, claimed TIMESTAMPTZ) RETURNS TIMESTAMPTZ
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE public.job_items
  SET updated_at = now()
  WHERE id = item
    AND status = 'RUNNING'
    AND updated_at = claimed
  RETURNING updated_at
$$;

-- How many items were put back, of which nothing was heard for so long.
CREATE FUNCTION requeue_items(silent INTERVAL) RETURNS INTEGER
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  locked UUID[];
  requeued INTEGER;
BEGIN
  IF silent IS NULL OR silent < INTERVAL '0' THEN
    RAISE EXCEPTION 'nobody is silent for %', silent
      USING ERRCODE = 'invalid_parameter_value', HINT = 'give the time after which a worker counts as dead';
  END IF;

  SELECT array_agg(stale.id)
  INTO locked
  FROM (
    SELECT id
    FROM public.jobs
    WHERE id IN (SELECT job_id FROM public.job_items WHERE status = 'RUNNING' AND updated_at < now() - silent)
    ORDER BY id ASC
    FOR NO KEY UPDATE
  ) AS stale;

  UPDATE public.job_items
  SET status = 'PENDING'
  WHERE job_id = ANY (locked)
    AND status = 'RUNNING'
    AND updated_at < now() - silent;
  GET DIAGNOSTICS requeued = ROW_COUNT;
  RETURN requeued;
END
$$;

-- default privileges would let everybody execute the functions where init/ has not been run
REVOKE ALL ON FUNCTION
  claim_items(INTEGER),
  finish_item(UUID, TIMESTAMPTZ, TEXT),
  fail_item(UUID, TIMESTAMPTZ, TEXT),
  extend_claim(UUID, TIMESTAMPTZ),
  requeue_items(INTERVAL)
FROM PUBLIC;
DO $$
DECLARE
  app CONSTANT TEXT := COALESCE(NULLIF(current_setting('pgcontract.role_app', TRUE), ''), 'optimizer_app');
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = app) THEN
    EXECUTE format(
      'GRANT EXECUTE ON FUNCTION'
      ' claim_items(INTEGER), finish_item(UUID, TIMESTAMPTZ, TEXT), fail_item(UUID, TIMESTAMPTZ, TEXT),'
      ' extend_claim(UUID, TIMESTAMPTZ), requeue_items(INTERVAL)'
      ' TO %I',
      app
    );
  END IF;
END
$$;

-- ROLLBACK
DROP FUNCTION requeue_items(INTERVAL);
DROP FUNCTION extend_claim(UUID, TIMESTAMPTZ);
DROP FUNCTION fail_item(UUID, TIMESTAMPTZ, TEXT);
DROP FUNCTION finish_item(UUID, TIMESTAMPTZ, TEXT);
DROP FUNCTION claim_items(INTEGER);
