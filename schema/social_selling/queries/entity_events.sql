-- What has happened to a product, a message, a conversation or a post.
-- uses: idx_analytics_entity
-- $1 text: what it is; from analytics_events.entity_type where entity_id IS NOT NULL
-- $2 uuid: which; from analytics_events.entity_id
SELECT id, event_type, event_category, value, occurred_at
FROM analytics_events
WHERE entity_type = $1
  AND entity_id = $2
LIMIT 100;
