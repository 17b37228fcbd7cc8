-- Installed extensions; plpgsql is in every database.
SELECT e.extname AS name, n.nspname AS namespace
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'
ORDER BY e.extname COLLATE "C";
