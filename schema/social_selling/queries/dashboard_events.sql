-- The dashboard: a user's events of the last days.
-- uses: idx_analytics_user_date_category
-- $1 uuid: the user
-- $2 timestamptz: since when
SELECT event_category, COUNT(*) AS events
FROM analytics_events
WHERE user_id = $1
  AND occurred_at >= $2
GROUP BY event_category;
