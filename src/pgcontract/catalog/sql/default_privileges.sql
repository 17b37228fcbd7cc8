-- ALTER DEFAULT PRIVILEGES, one row a privilege (one with NULLs for an emptied list). `everywhere` lists hold all that
-- a new object gets; a schema's list only adds to it. Large objects (18) are no part of a schema.
SELECT
    d.oid AS list,
    d.defaclobjtype::text AS kind,
    n.nspname AS namespace,
    CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END AS grantee,
    a.privilege_type AS privilege,
    coalesce(bool_or(a.is_grantable), false) AS grantable
FROM pg_default_acl AS d
LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
LEFT JOIN LATERAL aclexplode(d.defaclacl) AS a ON a.grantee <> d.defaclrole
WHERE d.defaclobjtype IN ('r', 'S', 'f', 'T', 'n')
GROUP BY d.oid, d.defaclobjtype, n.nspname, a.grantee, a.privilege_type
ORDER BY d.defaclobjtype, n.nspname COLLATE "C" NULLS FIRST, d.oid, a.grantee, a.privilege_type;
