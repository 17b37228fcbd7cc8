-- Range types; opclass and collation only where they are not the subtype's own.
SELECT
    t.oid,
    n.nspname AS namespace,
    t.typname AS name,
    format_type(r.rngsubtype, NULL) AS subtype,
    mn.nspname AS multirange_namespace,
    mt.typname AS multirange_name,
    (
        SELECT quote_ident(opn.nspname) || '.' || quote_ident(o.opcname)
        FROM pg_opclass AS o
        JOIN pg_namespace AS opn ON opn.oid = o.opcnamespace
        WHERE o.oid = r.rngsubopc AND NOT o.opcdefault
    ) AS opclass,
    CASE
        WHEN r.rngcollation <> st.typcollation
            THEN (
                SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                FROM pg_collation AS co
                JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
                WHERE co.oid = r.rngcollation
            )
    END AS collation,
    (
        SELECT quote_ident(fn.nspname) || '.' || quote_ident(f.proname)
        FROM pg_proc AS f
        JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
        WHERE f.oid = r.rngcanonical
    ) AS canonical,
    (
        SELECT quote_ident(fn.nspname) || '.' || quote_ident(f.proname)
        FROM pg_proc AS f
        JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
        WHERE f.oid = r.rngsubdiff
    ) AS difference
FROM pg_range AS r
JOIN pg_type AS t ON t.oid = r.rngtypid
JOIN pg_namespace AS n ON n.oid = t.typnamespace
JOIN pg_type AS mt ON mt.oid = r.rngmultitypid
JOIN pg_namespace AS mn ON mn.oid = mt.typnamespace
JOIN pg_type AS st ON st.oid = r.rngsubtype
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C";
