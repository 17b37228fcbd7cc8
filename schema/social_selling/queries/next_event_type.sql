-- The next type of event by name: asked again and again, it lists the types that occur without reading every event.
-- uses: idx_analytics_event_type
-- rows: exactly 1
-- $1 text: the type before; from analytics_events.event_type
SELECT MIN(event_type)
FROM analytics_events
WHERE event_type > $1;
