-- What a migration can make and its rollback forget, and what no contract freezes. The system's own objects have OIDs
-- below 16384; an extension's belong to it.
WITH objects (catalog, oid) AS (
  SELECT 'pg_catalog.pg_am'::regclass, oid FROM pg_catalog.pg_am
  UNION ALL SELECT 'pg_catalog.pg_cast'::regclass, oid FROM pg_catalog.pg_cast
  UNION ALL SELECT 'pg_catalog.pg_collation'::regclass, oid FROM pg_catalog.pg_collation
  UNION ALL SELECT 'pg_catalog.pg_conversion'::regclass, oid FROM pg_catalog.pg_conversion
  UNION ALL SELECT 'pg_catalog.pg_event_trigger'::regclass, oid FROM pg_catalog.pg_event_trigger
  UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid FROM pg_catalog.pg_foreign_data_wrapper
  UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, oid FROM pg_catalog.pg_foreign_server
  UNION ALL SELECT 'pg_catalog.pg_language'::regclass, oid FROM pg_catalog.pg_language
  UNION ALL SELECT 'pg_catalog.pg_opclass'::regclass, oid FROM pg_catalog.pg_opclass
  UNION ALL SELECT 'pg_catalog.pg_operator'::regclass, oid FROM pg_catalog.pg_operator
  UNION ALL SELECT 'pg_catalog.pg_opfamily'::regclass, oid FROM pg_catalog.pg_opfamily
  UNION ALL SELECT 'pg_catalog.pg_publication'::regclass, oid FROM pg_catalog.pg_publication
  UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::regclass, oid FROM pg_catalog.pg_statistic_ext
  UNION ALL SELECT 'pg_catalog.pg_ts_config'::regclass, oid FROM pg_catalog.pg_ts_config
  UNION ALL SELECT 'pg_catalog.pg_ts_dict'::regclass, oid FROM pg_catalog.pg_ts_dict
  UNION ALL SELECT 'pg_catalog.pg_ts_parser'::regclass, oid FROM pg_catalog.pg_ts_parser
  UNION ALL SELECT 'pg_catalog.pg_ts_template'::regclass, oid FROM pg_catalog.pg_ts_template
  UNION ALL SELECT 'pg_catalog.pg_user_mapping'::regclass, oid FROM pg_catalog.pg_user_mapping
)
SELECT object.type, object.identity, NULL
FROM objects
CROSS JOIN pg_catalog.pg_identify_object(objects.catalog, objects.oid, 0) AS object
LEFT JOIN pg_catalog.pg_depend AS owned
  ON owned.classid = objects.catalog AND owned.objid = objects.oid AND owned.deptype = 'e'
WHERE objects.oid >= 16384
  AND owned.objid IS NULL
UNION ALL
SELECT 'comment', object.type || ' ' || object.identity, md5(noted.description)
FROM pg_catalog.pg_description AS noted
CROSS JOIN pg_catalog.pg_identify_object(noted.classoid, noted.objoid, noted.objsubid) AS object
LEFT JOIN pg_catalog.pg_depend AS owned
  ON owned.classid = noted.classoid AND owned.objid = noted.objoid AND owned.deptype = 'e'
WHERE noted.objoid >= 16384
  AND owned.objid IS NULL
UNION ALL
SELECT 'privileges', 'the database', datacl::text
FROM pg_catalog.pg_database
WHERE datname = current_database()
UNION ALL
SELECT
  'setting of the database',
  split_part(setting, '=', 1) || CASE WHEN stored.setrole = 0 THEN '' ELSE ' for ' || stored.setrole::regrole::text END,
  setting
FROM pg_catalog.pg_db_role_setting AS stored
CROSS JOIN unnest(stored.setconfig) AS setting
WHERE stored.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
