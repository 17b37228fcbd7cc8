-- The keys of every index, one row each. A constraint's index has its keys in the constraint, except an EXCLUDE's.
--
-- An opclass is named unless it is the default for the very type of the key: `text_ops` on a `name` column is text's
-- default and yet not name's.
SELECT
    i.indexrelid AS index,
    k.position,
    i.indkey[k.position] AS number,
    CASE
        WHEN i.indkey[k.position] = 0 THEN pg_get_indexdef(i.indexrelid, k.position + 1, false)
        ELSE quote_ident(ta.attname)
    END AS expression,
    ta.attname AS "column",
    CASE
        WHEN NOT o.opcdefault OR EXISTS (
            SELECT FROM pg_opclass AS exact
            WHERE exact.opcmethod = o.opcmethod
              AND exact.opcdefault
              AND exact.opcintype = coalesce(ta.atttypid, ia.atttypid)
              AND exact.oid <> o.oid
        ) THEN quote_ident(opn.nspname) || '.' || quote_ident(o.opcname)
    END AS opclass,
    ia.attoptions AS opclass_options,
    CASE
        WHEN i.indcollation[k.position] <> coalesce(ta.attcollation, it.typcollation)
            THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
    END AS collation,
    (i.indoption[k.position] & 1) <> 0 AS descending,
    (i.indoption[k.position] & 2) <> 0 AS nulls_first
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS k (position)
JOIN pg_attribute AS ia ON ia.attrelid = i.indexrelid AND ia.attnum = k.position + 1
JOIN pg_type AS it ON it.oid = ia.atttypid
JOIN pg_opclass AS o ON o.oid = i.indclass[k.position]
JOIN pg_namespace AS opn ON opn.oid = o.opcnamespace
LEFT JOIN pg_attribute AS ta ON ta.attrelid = i.indrelid AND ta.attnum = i.indkey[k.position] AND ta.attnum <> 0
LEFT JOIN pg_collation AS co ON co.oid = i.indcollation[k.position]
LEFT JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_constraint AS made
      WHERE made.conindid = i.indexrelid AND made.contype IN ('p', 'u')
  )
ORDER BY i.indexrelid, k.position;
