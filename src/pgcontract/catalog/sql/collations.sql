-- Collations that people made. The name of a locale's column, and its rules, are not the same on every major.
SELECT
    c.oid,
    n.nspname AS namespace,
    c.collname AS name,
    c.collprovider::text AS provider,
    c.collisdeterministic AS deterministic,
    coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate) AS locale,
    CASE WHEN c.collctype <> c.collcollate THEN c.collctype END AS ctype,
    to_jsonb(c) ->> 'collicurules' AS rules
FROM pg_collation AS c
JOIN pg_namespace AS n ON n.oid = c.collnamespace
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_collation'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname COLLATE "C", c.collname COLLATE "C";
