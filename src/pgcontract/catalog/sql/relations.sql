-- Tables, partitioned and foreign tables, views, materialised views. An extension's own are marked, not left out:
-- a foreign key or a partition may refer to them by oid.
SELECT
    c.oid,
    n.nspname AS namespace,
    c.relname AS name,
    c.relkind::text AS kind,
    EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    ) AS of_extension,
    c.relpersistence = 'u' AS unlogged,
    c.relrowsecurity AS row_security,
    c.relforcerowsecurity AS force_row_security,
    c.relispartition AS is_partition,
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
    CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS partition_bound,
    s.srvname AS foreign_server,
    coalesce(
        f.ftoptions,
        c.reloptions || ARRAY(
            SELECT 'toast.' || o.option FROM pg_class AS toast, unnest(toast.reloptions) AS o (option)
            WHERE toast.oid = c.reltoastrelid
        )
    ) AS options
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_foreign_table AS f ON f.ftrelid = c.oid
LEFT JOIN pg_foreign_server AS s ON s.oid = f.ftserver
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C";
