-- Something happens: it is recorded.
-- uses: pk_users
-- rows: exactly 1
-- writes
-- pages: at most 30
-- wal: at most 800 bytes
-- $1 uuid: the user; from analytics_events.user_id
INSERT INTO analytics_events (user_id, event_type, event_category, value, occurred_at)
VALUES ($1, 'sale', 'sales', 99.90, now());
