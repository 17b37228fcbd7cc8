-- Credits: spent by one statement each, so that no two can spend the same; given anew every month.
--
-- What chk_app_instances_credits refuses need not come to it: spending answers with false where there are too few, and
-- an installation that changes its plan gets the plan's credits, of which no more than all are used.

CREATE FUNCTION apply_plan() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  -- what the statement writes itself counts; a plan that is not there is for the foreign key to refuse
  IF NEW.credits_total IS NOT DISTINCT FROM OLD.credits_total THEN
    NEW.credits_total := COALESCE(
      (SELECT monthly_credits FROM public.plans WHERE id = NEW.plan_id), OLD.credits_total
    );
  END IF;
  IF NEW.credits_used_month IS NOT DISTINCT FROM OLD.credits_used_month THEN
    NEW.credits_used_month := LEAST(OLD.credits_used_month, NEW.credits_total);
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER instance_apply_plan
  BEFORE UPDATE ON app_instances
  FOR EACH ROW
  WHEN (NEW.plan_id IS DISTINCT FROM OLD.plan_id)
  EXECUTE FUNCTION apply_plan();

-- False, and nothing spent, where there are not so many left.
CREATE FUNCTION spend_credits(instance TEXT, amount INTEGER) RETURNS BOOLEAN
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF amount IS NULL OR amount < 0 THEN
    RAISE EXCEPTION 'cannot spend % credits', amount USING ERRCODE = 'invalid_parameter_value';
  END IF;

  UPDATE public.app_instances
  SET credits_used_month = credits_used_month + amount
  WHERE instance_id = instance
    -- a sum might leave the type's range
    AND amount <= credits_total - credits_used_month;
  RETURN FOUND;
END
$$;

-- How many installations got a new month's credits: those whose reset date has come, by the calendar of UTC.
CREATE FUNCTION reset_credits() RETURNS INTEGER
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  due TEXT[];
  renewed INTEGER;
BEGIN
  SELECT array_agg(locked.instance_id)
  INTO due
  FROM (
    SELECT instance_id
    FROM public.app_instances
    WHERE credits_reset_on <= (now() AT TIME ZONE 'UTC')::DATE
    ORDER BY instance_id ASC
    FOR NO KEY UPDATE
  ) AS locked;

  UPDATE public.app_instances
  SET credits_total = plans.monthly_credits,
      credits_used_month = 0,
      credits_reset_on = (date_trunc('month', now() AT TIME ZONE 'UTC') + INTERVAL '1 month')::DATE
  FROM public.plans
  WHERE plans.id = app_instances.plan_id
    AND app_instances.instance_id = ANY (due);
  GET DIAGNOSTICS renewed = ROW_COUNT;
  RETURN renewed;
END
$$;

REVOKE ALL ON FUNCTION apply_plan(), spend_credits(TEXT, INTEGER), reset_credits() FROM PUBLIC;
DO $$
DECLARE
  app CONSTANT TEXT := COALESCE(NULLIF(current_setting('pgcontract.role_app', TRUE), ''), 'optimizer_app');
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = app) THEN
    EXECUTE format('GRANT EXECUTE ON FUNCTION spend_credits(TEXT, INTEGER), reset_credits() TO %I', app);
  END IF;
END
$$;

-- ROLLBACK
DROP FUNCTION reset_credits();
DROP FUNCTION spend_credits(TEXT, INTEGER);
DROP TRIGGER instance_apply_plan ON app_instances;
DROP FUNCTION apply_plan();
