-- Domains without their checks, which constraints.sql lists.
SELECT
    t.oid,
    n.nspname AS namespace,
    t.typname AS name,
    format_type(t.typbasetype, t.typtypmod) AS type,
    t.typnotnull AS not_null,
    pg_get_expr(t.typdefaultbin, 0) AS default_expression,
    CASE
        WHEN t.typcollation <> b.typcollation
            THEN (
                SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                FROM pg_collation AS co
                JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
                WHERE co.oid = t.typcollation
            )
    END AS collation
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
JOIN pg_type AS b ON b.oid = t.typbasetype
WHERE t.typtype = 'd'
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C";
