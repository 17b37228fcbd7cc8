-- The latest days' sums over all users.
-- uses: idx_analytics_daily_date
SELECT date, user_id, event_category, event_type, event_count
FROM analytics_daily_summary
ORDER BY date DESC
LIMIT 100;
