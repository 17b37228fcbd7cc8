-- Whether something of a kind has ever happened: an event of its type.
-- uses: idx_analytics_event_type
-- rows: at most 1
-- $1 text: the type; from analytics_events.event_type
SELECT event_type
FROM analytics_events
WHERE event_type = $1
LIMIT 1;
