-- Constraints of tables and domains. NOT NULLs (catalogued from 17 and 18 on) are the columns' own, constraint
-- triggers come with triggers.sql, and a foreign key's clones for single partitions are their parent's.
--
-- conperiod and conenforced are 18's. Inside the LATERAL they mean pg_constraint's columns where it has them, and
-- the outer query's constants on older servers: one text serves every major.
SELECT
    c.conrelid AS relation,
    c.contypid AS domain,
    c.conname AS name,
    c.contype::text AS kind,
    c.conindid AS index,
    c.conkey AS columns,
    c.confrelid AS referenced,
    c.confkey AS keys,
    c.confdeltype::text AS on_delete,
    c.confupdtype::text AS on_update,
    c.confdelsetcols AS delete_columns,
    c.confmatchtype = 'f' AS match_full,
    c.condeferrable AS deferrable,
    c.condeferred AS deferred,
    c.convalidated AS validated,
    c.connoinherit AS no_inherit,
    c.period,
    c.enforced,
    pg_get_expr(c.conbin, c.conrelid) AS expression,
    CASE
        WHEN c.contype = 'x' THEN (
            SELECT array_agg(
                CASE
                    WHEN opn.nspname = 'pg_catalog' THEN o.oprname::text
                    ELSE 'OPERATOR(' || quote_ident(opn.nspname) || '.' || o.oprname || ')'
                END
                ORDER BY k.position
            )
            FROM unnest(c.conexclop) WITH ORDINALITY AS k (operator, position)
            JOIN pg_operator AS o ON o.oid = k.operator
            JOIN pg_namespace AS opn ON opn.oid = o.oprnamespace
        )
    END AS operators
FROM (SELECT false AS conperiod, true AS conenforced) AS older
CROSS JOIN LATERAL (
    SELECT own.*, conperiod AS period, conenforced AS enforced FROM pg_constraint AS own
) AS c
JOIN pg_namespace AS n ON n.oid = c.connamespace
WHERE c.contype IN ('p', 'u', 'c', 'f', 'x')
  AND NOT (c.contype = 'f' AND c.conparentid <> 0)
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
ORDER BY c.conrelid, c.contypid, c.conname COLLATE "C";
