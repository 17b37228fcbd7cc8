CREATE DATABASE shop;
\connect shop
CREATE SCHEMA app;
CREATE SCHEMA lib;
ALTER DATABASE shop SET search_path TO app, lib;
SET search_path TO app, lib;
CREATE TYPE lib.colour AS ENUM ('red', 'blue');
CREATE DOMAIN lib.count AS integer CHECK (VALUE >= 0);
CREATE FUNCTION lib.even(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0';
CREATE TABLE things (
    id integer PRIMARY KEY,
    colour colour NOT NULL DEFAULT 'red',
    parts count NOT NULL DEFAULT 0 CHECK (even(parts))
);
CREATE TABLE parts (id integer PRIMARY KEY, thing integer NOT NULL REFERENCES things ON DELETE CASCADE);
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE things SET colour = 'blue' WHERE id = NEW.thing;
    RETURN NULL;
END
$$;
CREATE TRIGGER counted AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION counted();
CREATE VIEW red AS SELECT id FROM things WHERE colour = 'red';
