-- Indexes of tables and materialised views; `constraint_kind` is p, u or x where a constraint made the index.
SELECT
    i.indexrelid AS oid,
    i.indrelid AS relation,
    c.relname AS name,
    m.amname AS method,
    i.indisunique AS is_unique,
    i.indnullsnotdistinct AS nulls_not_distinct,
    i.indisvalid AS valid,
    i.indnkeyatts AS key_count,
    string_to_array(i.indkey::text, ' ')::int2[] AS columns,
    pg_get_expr(i.indpred, i.indrelid) AS predicate,
    c.reloptions AS options,
    k.contype::text AS constraint_kind
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS m ON m.oid = c.relam
LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
ORDER BY i.indrelid, c.relname COLLATE "C";
