-- The dashboard: a user's events of the last days.
-- uses: idx_analytics_user_date_category
-- $1 uuid: the user; from analytics_events.user_id
-- $2 timestamptz: since when; from (SELECT max(occurred_at) - INTERVAL '30 days' FROM analytics_events WHERE user_id = $1)
SELECT event_category, COUNT(*) AS events
FROM analytics_events
WHERE user_id = $1
  AND occurred_at >= $2
GROUP BY event_category;
