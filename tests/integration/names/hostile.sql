CREATE SCHEMA "ev.il""; DROP SCHEMA public CASCADE; --";
CREATE SCHEMA "😀 {0} %s $1";
CREATE TYPE "ev.il""; DROP SCHEMA public CASCADE; --"."lab'el; --" AS ENUM ('''; DROP TABLE x; --', '"', '😀', '<script>alert(1)</script>', '%s {0} $1 \n');
CREATE TABLE "ev.il""; DROP SCHEMA public CASCADE; --"."Ta.b""le'; DROP TABLE t; -- </script>" (
  "i'd"";--" integer CONSTRAINT "p.k'; --""" PRIMARY KEY,
  "<img src=x onerror=alert(1)>" "ev.il""; DROP SCHEMA public CASCADE; --"."lab'el; --" NOT NULL DEFAULT '😀',
  "%s $1 {}" text NOT NULL CONSTRAINT "chk'; DROP TABLE x; --" CHECK ("%s $1 {}" <> 'it''s "x"' AND char_length("%s $1 {}") > 0)
);
CREATE TABLE "😀 {0} %s $1"."select" (
  "from" integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "p.a""r" integer NOT NULL CONSTRAINT "f.k""; --" REFERENCES "ev.il""; DROP SCHEMA public CASCADE; --"."Ta.b""le'; DROP TABLE t; -- </script>" ON DELETE CASCADE,
  "touched '" timestamptz
);
CREATE FUNCTION "😀 {0} %s $1"."f'; --"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."touched '" := '2020-01-01'; RETURN NEW; END $$;
CREATE TRIGGER "trg""'; DROP TABLE x; --" BEFORE UPDATE ON "😀 {0} %s $1"."select" FOR EACH ROW EXECUTE FUNCTION "😀 {0} %s $1"."f'; --"();
CREATE INDEX "ix'; --" ON "😀 {0} %s $1"."select" ("p.a""r", "from");
CREATE VIEW "😀 {0} %s $1"."v""; --" AS SELECT "from" FROM "😀 {0} %s $1"."select" WHERE "from" > 3;
CREATE RULE "ru""le'; --" AS ON DELETE TO "😀 {0} %s $1"."v""; --" DO INSTEAD UPDATE "😀 {0} %s $1"."select" SET "touched '" = '1999-01-01' WHERE "from" = OLD."from";
