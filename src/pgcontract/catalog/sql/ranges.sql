-- Range types; opclass and collation only where they are not the subtype's own.
SELECT
    t.oid,
    n.nspname AS namespace,
    t.typname AS name,
    format_type(r.rngsubtype, NULL) AS subtype,
    mn.nspname AS multirange_namespace,
    mt.typname AS multirange_name,
    CASE
        WHEN NOT o.opcdefault THEN quote_ident(opn.nspname) || '.' || quote_ident(o.opcname)
    END AS opclass,
    CASE
        WHEN r.rngcollation <> st.typcollation
            THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
    END AS collation,
    CASE WHEN cf.oid IS NOT NULL THEN quote_ident(cfn.nspname) || '.' || quote_ident(cf.proname) END AS canonical,
    CASE WHEN df.oid IS NOT NULL THEN quote_ident(dfn.nspname) || '.' || quote_ident(df.proname) END AS difference
FROM pg_range AS r
JOIN pg_type AS t ON t.oid = r.rngtypid
JOIN pg_namespace AS n ON n.oid = t.typnamespace
JOIN pg_type AS mt ON mt.oid = r.rngmultitypid
JOIN pg_namespace AS mn ON mn.oid = mt.typnamespace
JOIN pg_type AS st ON st.oid = r.rngsubtype
JOIN pg_opclass AS o ON o.oid = r.rngsubopc
JOIN pg_namespace AS opn ON opn.oid = o.opcnamespace
LEFT JOIN pg_collation AS co ON co.oid = r.rngcollation
LEFT JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
LEFT JOIN pg_proc AS cf ON cf.oid = r.rngcanonical
LEFT JOIN pg_namespace AS cfn ON cfn.oid = cf.pronamespace
LEFT JOIN pg_proc AS df ON df.oid = r.rngsubdiff
LEFT JOIN pg_namespace AS dfn ON dfn.oid = df.pronamespace
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C";
