-- The account of an event, where it has one, belongs to the event's user.
SELECT analytics_events.id, analytics_events.user_id, client_accounts.user_id AS account_owner
FROM analytics_events
LEFT JOIN client_accounts ON client_accounts.id = analytics_events.client_account_id
WHERE analytics_events.client_account_id IS NOT NULL
  AND client_accounts.user_id IS DISTINCT FROM analytics_events.user_id;
