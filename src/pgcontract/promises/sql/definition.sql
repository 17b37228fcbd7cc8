-- How an index is defined, in numbers that a second one on the same table shares with it.
SELECT
    i.indexrelid AS index,
    i.indisvalid AND i.indisready AS valid,
    c.relam AS method,
    i.indkey::TEXT AS keys,
    i.indnkeyatts AS key_count,
    i.indclass::TEXT AS opclasses,
    i.indcollation::TEXT AS collations,
    i.indoption::TEXT AS directions,
    i.indisunique AS uniqueness,
    pg_get_expr(i.indexprs, i.indrelid) AS expressions,
    pg_get_expr(i.indpred, i.indrelid) AS predicate,
    (SELECT array_agg(option ORDER BY option ASC) FROM unnest(c.reloptions) AS option) AS options,
    (SELECT array_agg(a.attoptions::TEXT ORDER BY a.attnum ASC) FROM pg_attribute AS a WHERE a.attrelid = c.oid)
        AS key_options
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
