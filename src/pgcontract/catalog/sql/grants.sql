-- Every access list that was ever touched, one row a privilege; one row with NULLs for an emptied list, since that
-- takes away what PUBLIC has by default. Owners' own privileges are left out (17 added one to them).
SELECT
    o.kind,
    o.object,
    o.number,
    CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END AS grantee,
    a.privilege_type AS privilege,
    coalesce(bool_or(a.is_grantable), false) AS grantable
FROM (
    SELECT
        CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
        c.oid AS object, 0 AS number, c.relowner AS owner, c.relacl AS acl
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relacl IS NOT NULL
      AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
      AND n.nspname !~ '^pg_'
      AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'COLUMN', c.oid, t.attnum, c.relowner, t.attacl
    FROM pg_attribute AS t
    JOIN pg_class AS c ON c.oid = t.attrelid
    WHERE t.attacl IS NOT NULL AND t.attnum > 0 AND NOT t.attisdropped
    UNION ALL
    SELECT 'FUNCTION', p.oid, 0, p.proowner, p.proacl
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE p.proacl IS NOT NULL AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'SCHEMA', n.oid, 0, n.nspowner, n.nspacl FROM pg_namespace AS n WHERE n.nspacl IS NOT NULL
    UNION ALL
    SELECT 'TYPE', t.oid, 0, t.typowner, t.typacl FROM pg_type AS t WHERE t.typacl IS NOT NULL
    UNION ALL
    SELECT 'DATABASE', d.oid, 0, d.datdba, d.datacl
    FROM pg_database AS d
    WHERE d.datacl IS NOT NULL AND d.datname = current_database()
) AS o
LEFT JOIN LATERAL aclexplode(o.acl) AS a ON a.grantee <> o.owner
GROUP BY o.kind, o.object, o.number, a.grantee, a.privilege_type
ORDER BY o.kind, o.object, o.number, a.grantee, a.privilege_type;
