CREATE SCHEMA sales;
CREATE SCHEMA stock;
CREATE TYPE sales.state AS ENUM ('open', 'paid');
CREATE TYPE stock.state AS ENUM ('in', 'out');
CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL CHECK (name <> ''));
CREATE TABLE sales.items (id integer PRIMARY KEY, state sales.state NOT NULL DEFAULT 'open', name text UNIQUE);
CREATE TABLE stock.items (
    id integer PRIMARY KEY REFERENCES sales.items ON DELETE CASCADE,
    item integer NOT NULL REFERENCES items,
    state stock.state NOT NULL DEFAULT 'in'::stock.state,
    CONSTRAINT known CHECK (state <> 'out' OR item > 0)
);
CREATE INDEX by_name ON items (name);
CREATE INDEX by_name ON sales.items (name, id);
CREATE FUNCTION sales.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := btrim(NEW.name);
    RETURN NEW;
END
$$;
CREATE FUNCTION stock.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sales.items SET state = 'paid' WHERE id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER touch BEFORE INSERT ON sales.items FOR EACH ROW EXECUTE FUNCTION sales.touch();
CREATE TRIGGER touch AFTER INSERT ON stock.items FOR EACH ROW EXECUTE FUNCTION stock.touch();
CREATE VIEW stock.view AS SELECT i.id, s.name FROM stock.items AS i JOIN sales.items AS s USING (id);
