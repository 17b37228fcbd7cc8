-- What CREATE AGGREGATE said, one row each; a NULL or zero is a clause that was not given.
SELECT
    a.aggfnoid::oid AS oid,
    a.aggkind::text AS kind,
    nullif(a.aggtransfn, 0::regproc)::text AS sfunc,
    format_type(a.aggtranstype, NULL) AS stype,
    nullif(a.aggtransspace, 0) AS sspace,
    nullif(a.aggfinalfn, 0::regproc)::text AS finalfunc,
    a.aggfinalextra AS finalfunc_extra,
    a.aggfinalmodify::text AS finalfunc_modify,
    nullif(a.aggcombinefn, 0::regproc)::text AS combinefunc,
    nullif(a.aggserialfn, 0::regproc)::text AS serialfunc,
    nullif(a.aggdeserialfn, 0::regproc)::text AS deserialfunc,
    a.agginitval AS initcond,
    nullif(a.aggmtransfn, 0::regproc)::text AS msfunc,
    nullif(a.aggminvtransfn, 0::regproc)::text AS minvfunc,
    CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS mstype,
    nullif(a.aggmtransspace, 0) AS msspace,
    nullif(a.aggmfinalfn, 0::regproc)::text AS mfinalfunc,
    a.aggmfinalextra AS mfinalfunc_extra,
    a.aggmfinalmodify::text AS mfinalfunc_modify,
    a.aggminitval AS minitcond,
    nullif(a.aggsortop, 0)::regoperator::text AS sortop
FROM pg_aggregate AS a
JOIN pg_proc AS p ON p.oid = a.aggfnoid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", p.proname COLLATE "C", a.aggfnoid::oid;
