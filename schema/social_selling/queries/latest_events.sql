-- What has happened lately, over all users.
-- uses: idx_analytics_occurred_at
SELECT id, user_id, event_type, occurred_at
FROM analytics_events
ORDER BY occurred_at DESC
LIMIT 100;
