-- Free-standing composite types; their attributes come with columns.sql.
SELECT t.oid, c.oid AS relation, n.nspname AS namespace, t.typname AS name
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
JOIN pg_class AS c ON c.oid = t.typrelid
WHERE c.relkind = 'c'
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C";
