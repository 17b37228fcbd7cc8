CREATE SCHEMA "My App";
CREATE TYPE "My App"."State.of It" AS ENUM ('on', 'off''; DROP TABLE x; --', '"', '😀', E'two\nlines', '%s {0} $1');
CREATE DOMAIN "My App"."Short Text" AS text CONSTRAINT "not too long!" CHECK (char_length(VALUE) <= 10);
CREATE TABLE "My App"."User" (
    "ID" integer PRIMARY KEY,
    "id" integer NOT NULL,
    "a.b" integer CONSTRAINT "a.b ""quoted"" 'twice'" CHECK ("a.b" > 0),
    "State of It" "My App"."State.of It" NOT NULL DEFAULT 'on',
    "E Mail" "My App"."Short Text" CONSTRAINT "E Mail; DROP TABLE t; --" UNIQUE
);
CREATE TABLE "'; DROP TABLE t; --" (
    "'; DELETE FROM x; --" integer PRIMARY KEY,
    "ü %s {0} $1" text NOT NULL CHECK ("ü %s {0} $1" <> ''),
    "😀" integer CONSTRAINT "to 😀" REFERENCES "My App"."User" ("ID") ON DELETE SET NULL,
    "a""b" boolean NOT NULL DEFAULT false
);
CREATE TABLE "t.x" ("y.z" integer PRIMARY KEY);
CREATE TABLE "a name as long as PostgreSQL takes one, which is of 63 bytes: x" (
    "a name as long as PostgreSQL takes one, which is of 63 bytes: x" integer PRIMARY KEY,
    CONSTRAINT "a name as long as PostgreSQL takes one, which is of 63 bytes: y" CHECK ("a name as long as PostgreSQL takes one, which is of 63 bytes: x" > 0)
);
CREATE INDEX "an Index; --" ON "My App"."User" ("id", "a.b" DESC);
CREATE FUNCTION "My App"."Touch It"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."a.b" := abs(NEW."a.b");
    RETURN NEW;
END
$$;
CREATE TRIGGER "on Touch" BEFORE UPDATE ON "My App"."User" FOR EACH ROW EXECUTE FUNCTION "My App"."Touch It"();
CREATE VIEW "My App"."a View" AS SELECT "ID", "a.b" FROM "My App"."User" WHERE "State of It" = 'on';
