-- Row policies; role 0 is PUBLIC.
SELECT
    p.polrelid AS relation,
    p.polname AS name,
    p.polcmd::text AS command,
    p.polpermissive AS permissive,
    ARRAY(
        SELECT CASE WHEN r.role = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r.role)::text END
        FROM unnest(p.polroles) AS r (role)
    ) AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS using_expression,
    pg_get_expr(p.polwithcheck, p.polrelid) AS check_expression
FROM pg_policy AS p
ORDER BY p.polrelid, p.polname COLLATE "C";
