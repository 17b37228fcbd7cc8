-- What CREATE AGGREGATE said, one row each; a NULL or zero is a clause that was not given.
SELECT
    a.aggfnoid::oid AS oid,
    a.aggkind::text AS kind,
    CASE WHEN a.aggtransfn <> 0 THEN a.aggtransfn::text END AS sfunc,
    format_type(a.aggtranstype, NULL) AS stype,
    nullif(a.aggtransspace, 0) AS sspace,
    CASE WHEN a.aggfinalfn <> 0 THEN a.aggfinalfn::text END AS finalfunc,
    a.aggfinalextra AS finalfunc_extra,
    a.aggfinalmodify::text AS finalfunc_modify,
    CASE WHEN a.aggcombinefn <> 0 THEN a.aggcombinefn::text END AS combinefunc,
    CASE WHEN a.aggserialfn <> 0 THEN a.aggserialfn::text END AS serialfunc,
    CASE WHEN a.aggdeserialfn <> 0 THEN a.aggdeserialfn::text END AS deserialfunc,
    a.agginitval AS initcond,
    CASE WHEN a.aggmtransfn <> 0 THEN a.aggmtransfn::text END AS msfunc,
    CASE WHEN a.aggminvtransfn <> 0 THEN a.aggminvtransfn::text END AS minvfunc,
    CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS mstype,
    nullif(a.aggmtransspace, 0) AS msspace,
    CASE WHEN a.aggmfinalfn <> 0 THEN a.aggmfinalfn::text END AS mfinalfunc,
    a.aggmfinalextra AS mfinalfunc_extra,
    a.aggmfinalmodify::text AS mfinalfunc_modify,
    a.aggminitval AS minitcond,
    CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END AS sortop
FROM pg_aggregate AS a
JOIN pg_proc AS p ON p.oid = a.aggfnoid
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", p.proname COLLATE "C", a.aggfnoid::oid;
