-- The dashboard's curve: a user's sums by day.
-- uses: idx_analytics_daily_unique
-- $1 uuid: the user
-- $2 date: since when
SELECT date, event_category, event_type, event_count, total_value
FROM analytics_daily_summary
WHERE user_id = $1
  AND date >= $2
ORDER BY date ASC;
