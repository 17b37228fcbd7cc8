-- How one index can be asked on this very server, as one JSON value: everything that a frozen index leaves to the server.
--
-- names       the index, and its children where its table is partitioned
-- others      statements that drop every other index of the table, with the constraints that hang on it
-- strategy    how the table is partitioned, and null otherwise; leaves: whether a partition could hold a row
-- ordered     whether the access method returns rows in its keys' order
-- keys        of each key the type without domains, and the operators of the promised opclass (or of the type's default)
WITH RECURSIVE given AS (
    SELECT {table}::REGCLASS AS relation, {index}::REGCLASS AS index, {method} AS method
),
mine AS (
    SELECT given.index AS relid FROM given
    UNION
    SELECT part.relid FROM given, pg_partition_tree(given.index) AS part
),
tree AS (
    SELECT given.relation AS relid FROM given
    UNION
    SELECT part.relid FROM given, pg_partition_tree(given.relation) AS part
),
others AS (
    SELECT DISTINCT
        CASE
            WHEN made.oid IS NULL THEN format('DROP INDEX %s CASCADE', whole.relid::REGCLASS)
            ELSE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', made.conrelid::REGCLASS, made.conname)
        END AS dropping
    FROM pg_index AS i
    -- a partition's index goes with the index that it is a part of
    CROSS JOIN LATERAL (SELECT coalesce(pg_partition_root(i.indexrelid), i.indexrelid) AS relid) AS whole
    LEFT JOIN pg_constraint AS made ON made.conindid = whole.relid AND made.contype IN ('p', 'u', 'x')
    WHERE i.indrelid IN (SELECT relid FROM tree) AND i.indexrelid NOT IN (SELECT relid FROM mine)
),
keys AS (
    SELECT key.number, key.type, key.opclass
    FROM (SELECT (NULL::{table_name}).*) AS "row"
    CROSS JOIN LATERAL (VALUES {keys}) AS key (number, type, opclass)
),
bases AS (
    SELECT number, opclass, type AS base FROM keys
    UNION ALL
    SELECT bases.number, bases.opclass, t.typbasetype
    FROM bases
    JOIN pg_type AS t ON t.oid = bases.base
    WHERE t.typtype = 'd'
),
typed AS (
    SELECT
        bases.number,
        bases.opclass,
        bases.base,
        t.typtype AS kind,
        t.typsubscript = 'array_subscript_handler'::REGPROC AS is_array
    FROM bases
    JOIN pg_type AS t ON t.oid = bases.base
    WHERE t.typtype <> 'd'
)
SELECT jsonb_build_object(
    'version', current_setting('server_version_num')::INT,
    'names', (SELECT jsonb_agg(c.relname ORDER BY c.oid ASC) FROM mine JOIN pg_class AS c ON c.oid = mine.relid),
    'others', (SELECT coalesce(jsonb_agg(others.dropping ORDER BY others.dropping ASC), '[]') FROM others),
    'strategy', (SELECT partstrat FROM pg_partitioned_table WHERE partrelid = given.relation),
    'leaves', EXISTS (
        SELECT FROM pg_partition_tree(given.relation) AS leaf JOIN pg_class AS c ON c.oid = leaf.relid
        WHERE leaf.isleaf AND c.relkind <> 'p'
    ),
    'forced', (SELECT relforcerowsecurity FROM pg_class WHERE oid = given.relation),
    'ordered', pg_indexam_has_property(am.oid, 'can_order'),
    'keys', (
        SELECT jsonb_agg(
            jsonb_build_object(
                'type', format_type(typed.base, NULL),
                'opclass', opclass.name,
                'operators', coalesce(asked.operators, '[]')
            )
            ORDER BY typed.number ASC
        )
        FROM typed
        LEFT JOIN LATERAL (
            SELECT oc.opcfamily, oc.opcintype, quote_ident(n.nspname) || '.' || quote_ident(oc.opcname) AS name
            FROM pg_opclass AS oc
            JOIN pg_namespace AS n ON n.oid = oc.opcnamespace
            JOIN pg_type AS input ON input.oid = oc.opcintype
            WHERE oc.opcmethod = am.oid
              AND CASE
                  WHEN typed.opclass IS NOT NULL THEN typed.opclass = quote_ident(n.nspname) || '.' || quote_ident(oc.opcname)
                  WHEN NOT oc.opcdefault THEN false
                  ELSE oc.opcintype = typed.base
                      OR (oc.opcintype = 'anyarray'::REGTYPE AND typed.is_array)
                      OR (oc.opcintype = 'anyenum'::REGTYPE AND typed.kind = 'e')
                      OR (oc.opcintype = 'anyrange'::REGTYPE AND typed.kind = 'r')
                      OR (oc.opcintype = 'anymultirange'::REGTYPE AND typed.kind = 'm')
                      OR (oc.opcintype = 'record'::REGTYPE AND typed.kind = 'c')
                      OR EXISTS (
                          SELECT FROM pg_cast AS implied
                          WHERE implied.castsource = typed.base
                            AND implied.casttarget = oc.opcintype
                            AND implied.castmethod = 'b'
                            AND implied.castcontext = 'i'
                      )
              END
            ORDER BY oc.opcintype = typed.base DESC, input.typispreferred DESC, oc.oid ASC
            LIMIT 1
        ) AS opclass ON true
        LEFT JOIN LATERAL (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'name', quote_ident(n.nspname) || '.' || o.oprname,
                    'strategy', member.amopstrategy,
                    'ordering', member.amoppurpose = 'o',
                    'right', CASE
                        WHEN member.amoprighttype = opclass.opcintype AND input.typtype = 'p'
                            THEN format_type(typed.base, NULL)
                        ELSE format_type(member.amoprighttype, NULL)
                    END
                )
                ORDER BY member.amopstrategy ASC, member.amoprighttype ASC
            ) AS operators
            FROM pg_amop AS member
            JOIN pg_operator AS o ON o.oid = member.amopopr
            JOIN pg_namespace AS n ON n.oid = o.oprnamespace
            JOIN pg_type AS input ON input.oid = opclass.opcintype
            JOIN pg_type AS given_type ON given_type.oid = member.amoprighttype
            WHERE member.amopfamily = opclass.opcfamily
              AND member.amoplefttype = opclass.opcintype
              -- of the other polymorphic types nothing tells which one is meant
              AND (given_type.typtype <> 'p' OR member.amoprighttype = opclass.opcintype)
              -- a B-tree compares with other types, too: that is its family's promise, not this index's
              AND (am.amname NOT IN ('btree', 'hash', 'brin') OR member.amoprighttype = opclass.opcintype)
        ) AS asked ON true
    )
)::TEXT
FROM given
JOIN pg_am AS am ON am.amname = given.method
