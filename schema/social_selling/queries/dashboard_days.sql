-- The dashboard's curve: a user's sums by day.
-- uses: idx_analytics_daily_unique
-- $1 uuid: the user; from analytics_daily_summary.user_id
-- $2 date: since when; from (SELECT max(date) - 30 FROM analytics_daily_summary WHERE user_id = $1)
SELECT date, event_category, event_type, event_count, total_value
FROM analytics_daily_summary
WHERE user_id = $1
  AND date >= $2
ORDER BY date ASC;
