-- Triggers that people made: not the foreign keys' internal ones, not the clones on partitions.
-- The definition is fetched only where a WHEN condition or arguments must be cut out of it: pg_get_expr refuses an
-- expression over both OLD and NEW, and tgargs is in the server's encoding.
SELECT
    t.tgrelid AS relation,
    t.tgname AS name,
    t.tgtype AS bits,
    n.nspname AS function_namespace,
    p.proname AS function_name,
    t.tgattr::text AS columns,
    t.tgoldtable AS old_table,
    t.tgnewtable AS new_table,
    t.tgconstraint <> 0 AS is_constraint,
    t.tgdeferrable AS deferrable,
    t.tginitdeferred AS deferred,
    t.tgenabled::text AS enabled,
    t.tgqual IS NOT NULL AS has_condition,
    CASE WHEN t.tgqual IS NOT NULL OR t.tgnargs > 0 THEN pg_get_triggerdef(t.oid, false) END AS definition
FROM pg_trigger AS t
JOIN pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE NOT t.tgisinternal
  AND t.tgparentid = 0
ORDER BY t.tgrelid, t.tgname COLLATE "C";
