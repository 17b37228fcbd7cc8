-- Functions, procedures, window functions and aggregates (whose own clauses aggregates.sql adds).
SELECT
    p.oid,
    n.nspname AS namespace,
    p.proname AS name,
    p.prokind::text AS kind,
    pg_get_function_identity_arguments(p.oid) AS arguments,
    pg_get_function_arguments(p.oid) AS signature,
    pg_get_function_result(p.oid) AS returns,
    l.lanname AS language,
    CASE
        WHEN p.prosqlbody IS NOT NULL THEN pg_get_function_sqlbody(p.oid)
        WHEN p.probin IS NOT NULL THEN p.probin || ', ' || p.prosrc
        ELSE p.prosrc
    END AS body,
    p.provolatile::text AS volatility,
    p.proparallel::text AS parallel,
    p.prosecdef AS security_definer,
    p.proisstrict AS strict,
    p.proleakproof AS leakproof,
    p.proconfig AS settings,
    CASE
        WHEN p.prokind <> 'a' AND p.procost <> CASE WHEN l.lanname IN ('c', 'internal') THEN 1 ELSE 100 END
            THEN p.procost::text
    END AS cost,
    CASE WHEN p.proretset AND p.prorows <> 1000 THEN p.prorows::text END AS rows
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_language AS l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i')
  )
ORDER BY n.nspname COLLATE "C", p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C";
