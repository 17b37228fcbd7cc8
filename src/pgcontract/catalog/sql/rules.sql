-- Rewrite rules other than the one that makes a view a view.
SELECT r.ev_class AS relation, r.rulename AS name, pg_get_ruledef(r.oid) AS definition, r.ev_enabled::text AS enabled
FROM pg_rewrite AS r
JOIN pg_class AS c ON c.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN'
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
ORDER BY r.ev_class, r.rulename COLLATE "C";
