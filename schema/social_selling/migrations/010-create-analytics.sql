-- Events, and their sums by day.

CREATE TABLE analytics_events (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  client_account_id UUID,
  event_type TEXT NOT NULL,
  event_category TEXT NOT NULL,
  entity_type TEXT,
  entity_id UUID,
  value NUMERIC(10, 2),
  metadata JSONB NOT NULL DEFAULT '{}',
  occurred_at TIMESTAMPTZ NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_analytics_events PRIMARY KEY (id),
  -- not every event has an account: this key holds for those without one
  CONSTRAINT fk_analytics_events_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT fk_analytics_events_client_account
    FOREIGN KEY (client_account_id, user_id) REFERENCES client_accounts (id, user_id) ON DELETE CASCADE,
  CONSTRAINT chk_analytics_events_event_type_length CHECK (char_length(event_type) BETWEEN 1 AND 100),
  CONSTRAINT chk_analytics_events_event_category CHECK (
    event_category IN ('engagement', 'sales', 'message', 'content')
  ),
  CONSTRAINT chk_analytics_events_entity_type CHECK (
    entity_type IN ('product', 'message', 'conversation', 'post')
  ),
  CONSTRAINT chk_analytics_events_entity CHECK ((entity_type IS NULL) = (entity_id IS NULL)),
  -- refunds are negative; one NaN would make NaN of every sum
  CONSTRAINT chk_analytics_events_value CHECK (value <> 'NaN'),
  CONSTRAINT chk_analytics_events_metadata CHECK (jsonb_typeof(metadata) = 'object')
);

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
DROP TABLE analytics_events;
