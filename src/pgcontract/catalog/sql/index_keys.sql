-- The keys of every index, one row each. A key or unique constraint has its columns in the constraint itself.
--
-- An opclass is named unless it is the default for the very type of the key: `text_ops` on a `name` column is text's
-- default and yet not name's. Names are looked up only where they are shown: as joins they would be most of the time.
SELECT
    i.indexrelid AS index,
    CASE WHEN ta.attname IS NULL THEN pg_get_indexdef(i.indexrelid, ia.attnum, false) ELSE quote_ident(ta.attname) END
        AS expression,
    ta.attname AS "column",
    CASE
        WHEN NOT o.opcdefault OR EXISTS (
            SELECT FROM pg_opclass AS exact
            WHERE exact.opcmethod = o.opcmethod
              AND exact.opcdefault
              AND exact.opcintype = coalesce(ta.atttypid, ia.atttypid)
              AND exact.oid <> o.oid
        ) THEN (
            SELECT quote_ident(opn.nspname) || '.' || quote_ident(o.opcname)
            FROM pg_namespace AS opn
            WHERE opn.oid = o.opcnamespace
        )
    END AS opclass,
    ia.attoptions AS opclass_options,
    CASE
        WHEN i.indcollation[ia.attnum - 1] <> coalesce(
            ta.attcollation, (SELECT it.typcollation FROM pg_type AS it WHERE it.oid = ia.atttypid)
        ) THEN (
            SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
            FROM pg_collation AS co
            JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
            WHERE co.oid = i.indcollation[ia.attnum - 1]
        )
    END AS collation,
    (i.indoption[ia.attnum - 1] & 1) <> 0 AS descending,
    (i.indoption[ia.attnum - 1] & 2) <> 0 AS nulls_first
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS ia ON ia.attrelid = i.indexrelid AND ia.attnum <= i.indnkeyatts
JOIN pg_opclass AS o ON o.oid = i.indclass[ia.attnum - 1]
LEFT JOIN pg_attribute AS ta ON ta.attrelid = i.indrelid AND ta.attnum = nullif(i.indkey[ia.attnum - 1], 0)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_constraint AS made
      WHERE made.conindid = i.indexrelid AND made.contype IN ('p', 'u')
  )
ORDER BY i.indexrelid, ia.attnum;
