-- Schemas that people made. Names that begin with pg_ are reserved for the system's own.
SELECT n.oid, n.nspname AS name
FROM pg_namespace AS n
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname COLLATE "C";
