-- Sequences with the column that owns them: 'a' marks serial columns, 'i' identity columns.
SELECT
    c.oid,
    n.nspname AS namespace,
    c.relname AS name,
    format_type(s.seqtypid, NULL) AS type,
    s.seqstart AS start,
    s.seqincrement AS increment,
    s.seqmin AS min_value,
    s.seqmax AS max_value,
    s.seqcache AS cache,
    s.seqcycle AS cycle,
    c.relpersistence = 'u' AS unlogged,
    o.refobjid AS owner_relation,
    o.refobjsubid AS owner_column
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_depend AS o
    ON o.classid = 'pg_class'::regclass
    AND o.objid = c.oid
    AND o.objsubid = 0
    AND o.refclassid = 'pg_class'::regclass
    AND o.refobjsubid > 0
    AND o.deptype IN ('a', 'i')
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C";
