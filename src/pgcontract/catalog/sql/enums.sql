-- Enum types, their labels in the enum's own order (a type may have none yet).
SELECT
    t.oid,
    n.nspname AS namespace,
    t.typname AS name,
    coalesce(
        array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FILTER (WHERE e.oid IS NOT NULL), '{}'
    ) AS labels
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_enum AS e ON e.enumtypid = t.oid
WHERE t.typtype = 'e'
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
  )
GROUP BY t.oid, n.nspname, t.typname
ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C";
