-- analytics_events, partitioned by the month in which an event occurred. See the README beside this file.

-- it stays with the old table otherwise
DROP FUNCTION refresh_analytics_daily_summary();
DROP MATERIALIZED VIEW analytics_daily_summary;

ALTER TABLE analytics_events RENAME TO analytics_events_whole;

CREATE TABLE analytics_events (LIKE analytics_events_whole INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
PARTITION BY RANGE (occurred_at);

-- takes what belongs to no month that was made: no event is ever refused for its time
CREATE TABLE analytics_events_other PARTITION OF analytics_events DEFAULT;

-- A partition for each month from one day's to another's that has none; says how many were made. Months are those of
-- UTC. What of such a month has gone to analytics_events_other moves.
CREATE FUNCTION make_analytics_months(first_day DATE, last_day DATE) RETURNS INTEGER
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  month DATE;
  place TEXT;
  range_start TEXT;
  range_end TEXT;
  made INTEGER := 0;
BEGIN
  -- one at a time
  LOCK TABLE ONLY public.analytics_events IN SHARE UPDATE EXCLUSIVE MODE;
  FOR month IN
    SELECT day::DATE
    FROM generate_series(date_trunc('month', first_day::TIMESTAMP), last_day::TIMESTAMP, '1 month') AS day
  LOOP
    place := to_char(month, '"analytics_events_"YYYY_MM');
    CONTINUE WHEN to_regclass('public.' || place) IS NOT NULL;
    range_start := to_char(month, 'YYYY-MM-DD "00:00:00+00"');
    range_end := to_char(month + INTERVAL '1 month', 'YYYY-MM-DD "00:00:00+00"');
    -- what is attached waits for nobody who writes to another month; CREATE TABLE … PARTITION OF would
    EXECUTE format(
      'CREATE TABLE public.%I (LIKE public.analytics_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', place
    );
    -- before rows are moved: nobody may add others meanwhile
    LOCK TABLE public.analytics_events_other IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
      'WITH moved AS (
         DELETE FROM public.analytics_events_other
         WHERE occurred_at >= %2$L AND occurred_at < %3$L
         RETURNING analytics_events_other
       )
       INSERT INTO public.%1$I SELECT (analytics_events_other).* FROM moved',
      place, range_start, range_end
    );
    EXECUTE format(
      'ALTER TABLE public.analytics_events ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
      place, range_start, range_end
    );
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;

-- Drops all months before that of the first day to keep; says how many. No row is read.
CREATE FUNCTION drop_analytics_months(keep_from DATE) RETURNS INTEGER
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place REGCLASS;
  dropped INTEGER := 0;
BEGIN
  FOR place IN
    SELECT pg_class.oid::REGCLASS
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = pg_inherits.inhrelid
    WHERE pg_inherits.inhparent = 'public.analytics_events'::REGCLASS
      AND pg_class.relname ~ '^analytics_events_\d{4}_\d{2}$'
      AND pg_class.relname < to_char(keep_from, '"analytics_events_"YYYY_MM')
    ORDER BY pg_class.relname ASC
  LOOP
    EXECUTE format('DROP TABLE %s', place);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END
$$;

-- both are the owner's, not the application's
REVOKE ALL ON FUNCTION make_analytics_months(DATE, DATE) FROM PUBLIC;
REVOKE ALL ON FUNCTION drop_analytics_months(DATE) FROM PUBLIC;

-- the months that hold rows; an empty database gets none, so that the contract does not depend on the day
DO $$
DECLARE
  month DATE;
BEGIN
  FOR month IN
    SELECT DISTINCT date_trunc('month', occurred_at AT TIME ZONE 'UTC')::DATE AS month
    FROM analytics_events_whole
    WHERE occurred_at BETWEEN now() - INTERVAL '10 years' AND now() + INTERVAL '1 year'
    ORDER BY month ASC
  LOOP
    PERFORM make_analytics_months(month, month);
  END LOOP;
END
$$;

INSERT INTO analytics_events (
  id, user_id, client_account_id, event_type, event_category, entity_type, entity_id, value, metadata, occurred_at,
  created_at
)
SELECT
  id, user_id, client_account_id, event_type, event_category, entity_type, entity_id, value, metadata, occurred_at,
  created_at
FROM analytics_events_whole;
DROP TABLE analytics_events_whole;

-- the key must contain what rows are partitioned by: that id alone is unique is no longer promised
ALTER TABLE analytics_events
  ADD CONSTRAINT pk_analytics_events PRIMARY KEY (id, occurred_at),
  ADD CONSTRAINT fk_analytics_events_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  ADD CONSTRAINT fk_analytics_events_client_account
    FOREIGN KEY (client_account_id, user_id) REFERENCES client_accounts (id, user_id) ON DELETE CASCADE;

-- from here on as in 010-create-analytics.sql
CREATE INDEX idx_analytics_user_date_category ON analytics_events (user_id, occurred_at DESC, event_category);
CREATE INDEX idx_analytics_client_account ON analytics_events (client_account_id);
CREATE INDEX idx_analytics_event_type ON analytics_events (event_type);
CREATE INDEX idx_analytics_occurred_at ON analytics_events (occurred_at DESC);
CREATE INDEX idx_analytics_entity ON analytics_events (entity_type, entity_id);

-- DATE(occurred_at) would depend on the time zone of the session that refreshes
CREATE MATERIALIZED VIEW analytics_daily_summary AS
SELECT
  user_id,
  client_account_id,
  (occurred_at AT TIME ZONE 'UTC')::DATE AS date,
  event_category,
  event_type,
  COUNT(*) AS event_count,
  SUM(value) AS total_value,
  AVG(value) AS avg_value
FROM analytics_events
GROUP BY user_id, client_account_id, (occurred_at AT TIME ZONE 'UTC')::DATE, event_category, event_type;

-- no predicate and no expression: REFRESH … CONCURRENTLY takes no other
CREATE UNIQUE INDEX idx_analytics_daily_unique
  ON analytics_daily_summary (user_id, date, client_account_id, event_category, event_type) NULLS NOT DISTINCT;
CREATE INDEX idx_analytics_daily_date ON analytics_daily_summary (date DESC);

-- the application may not refresh the view itself: only its owner may
CREATE FUNCTION refresh_analytics_daily_summary() RETURNS VOID
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  REFRESH MATERIALIZED VIEW CONCURRENTLY public.analytics_daily_summary;
END
$$;

-- default privileges would let everybody execute the function where init/ has not been run, and the application
-- write to the view
REVOKE ALL ON FUNCTION refresh_analytics_daily_summary() FROM PUBLIC;
DO $$
DECLARE
  app CONSTANT TEXT := COALESCE(NULLIF(current_setting('pgcontract.role_app', TRUE), ''), 'social_selling_app');
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = app) THEN
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON analytics_daily_summary FROM %I', app);
    EXECUTE format('GRANT EXECUTE ON FUNCTION refresh_analytics_daily_summary() TO %I', app);
  END IF;
END
$$;

-- ROLLBACK
DROP FUNCTION refresh_analytics_daily_summary();
DROP MATERIALIZED VIEW analytics_daily_summary;
DROP FUNCTION drop_analytics_months(DATE);
DROP FUNCTION make_analytics_months(DATE, DATE);
ALTER TABLE analytics_events RENAME TO analytics_events_by_month;

CREATE TABLE analytics_events (LIKE analytics_events_by_month INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
INSERT INTO analytics_events (
  id, user_id, client_account_id, event_type, event_category, entity_type, entity_id, value, metadata, occurred_at,
  created_at
)
SELECT
  id, user_id, client_account_id, event_type, event_category, entity_type, entity_id, value, metadata, occurred_at,
  created_at
FROM analytics_events_by_month;
DROP TABLE analytics_events_by_month;

-- fails, and leaves everything as it was, where events of two months have the same id
ALTER TABLE analytics_events
  ADD CONSTRAINT pk_analytics_events PRIMARY KEY (id),
  ADD CONSTRAINT fk_analytics_events_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  ADD CONSTRAINT fk_analytics_events_client_account
    FOREIGN KEY (client_account_id, user_id) REFERENCES client_accounts (id, user_id) ON DELETE CASCADE;

CREATE INDEX idx_analytics_user_date_category ON analytics_events (user_id, occurred_at DESC, event_category);
CREATE INDEX idx_analytics_client_account ON analytics_events (client_account_id);
CREATE INDEX idx_analytics_event_type ON analytics_events (event_type);
CREATE INDEX idx_analytics_occurred_at ON analytics_events (occurred_at DESC);
CREATE INDEX idx_analytics_entity ON analytics_events (entity_type, entity_id);

-- DATE(occurred_at) would depend on the time zone of the session that refreshes
CREATE MATERIALIZED VIEW analytics_daily_summary AS
SELECT
  user_id,
  client_account_id,
  (occurred_at AT TIME ZONE 'UTC')::DATE AS date,
  event_category,
  event_type,
  COUNT(*) AS event_count,
  SUM(value) AS total_value,
  AVG(value) AS avg_value
FROM analytics_events
GROUP BY user_id, client_account_id, (occurred_at AT TIME ZONE 'UTC')::DATE, event_category, event_type;

-- no predicate and no expression: REFRESH … CONCURRENTLY takes no other
CREATE UNIQUE INDEX idx_analytics_daily_unique
  ON analytics_daily_summary (user_id, date, client_account_id, event_category, event_type) NULLS NOT DISTINCT;
CREATE INDEX idx_analytics_daily_date ON analytics_daily_summary (date DESC);

-- the application may not refresh the view itself: only its owner may
CREATE FUNCTION refresh_analytics_daily_summary() RETURNS VOID
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  REFRESH MATERIALIZED VIEW CONCURRENTLY public.analytics_daily_summary;
END
$$;

-- default privileges would let everybody execute the function where init/ has not been run, and the application
-- write to the view
REVOKE ALL ON FUNCTION refresh_analytics_daily_summary() FROM PUBLIC;
DO $$
DECLARE
  app CONSTANT TEXT := COALESCE(NULLIF(current_setting('pgcontract.role_app', TRUE), ''), 'social_selling_app');
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = app) THEN
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON analytics_daily_summary FROM %I', app);
    EXECUTE format('GRANT EXECUTE ON FUNCTION refresh_analytics_daily_summary() TO %I', app);
  END IF;
END
$$;
