CREATE SCHEMA "table";
CREATE TYPE "table"."type" AS ENUM ('select', 'null', 'default');
CREATE DOMAIN "table"."domain" AS text CONSTRAINT "check" CHECK (VALUE <> '' AND char_length(VALUE) <= 10);
CREATE TABLE "user" (
    "primary" integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "order" "table"."type" NOT NULL DEFAULT 'default',
    "group" "table"."domain",
    "end" integer NOT NULL CHECK ("end" BETWEEN 1 AND 5),
    "references" integer CONSTRAINT "foreign" REFERENCES "user" ON DELETE SET NULL,
    CONSTRAINT "unique" UNIQUE ("order", "end")
);
CREATE TABLE "table"."select" (
    "from" integer NOT NULL REFERENCES "user" ON DELETE CASCADE, "where" date, "limit" numeric(4, 2),
    PRIMARY KEY ("from", "where"), CONSTRAINT "in" CHECK ("limit" IS NULL OR "limit" > 0)
);
CREATE INDEX "index" ON "table"."select" ("limit") WHERE "limit" > 1;
CREATE FUNCTION "table"."function"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."limit" := round(NEW."limit", 1);
    RETURN NEW;
END
$$;
CREATE TRIGGER "trigger" BEFORE UPDATE ON "table"."select" FOR EACH ROW EXECUTE FUNCTION "table"."function"();
CREATE VIEW "table"."view" AS SELECT "from", "where" FROM "table"."select" WHERE "limit" > 1;
CREATE SEQUENCE "table"."sequence" INCREMENT BY 2;
