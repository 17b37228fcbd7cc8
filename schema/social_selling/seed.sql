-- Development data: demo@socialselling.com (password: Demo123!) with 20 products in 4 categories, prices 50 to 550.
-- The same rows on every database, and no more of them when run again. Never for production.
DO $$
BEGIN
  IF lower(btrim(current_setting('pgcontract.environment', TRUE))) = 'production' THEN
    RAISE EXCEPTION 'this database is marked as production: no seed data'
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'ALTER DATABASE … SET pgcontract.environment says what a database is for';
  END IF;
END
$$;

INSERT INTO users (email, password_hash, name, email_verified)
VALUES (
  'demo@socialselling.com',
  '$2a$12$Pq3cJ0m8yT5sV1nR7bWxKe5N0YPYcA03SLmMQg44SDIhu1JJsKkba',
  'Demo User',
  TRUE
)
-- names the predicate of the partial index, without which no index would be found for the address
ON CONFLICT (email) WHERE deleted_at IS NULL DO NOTHING;

INSERT INTO products (user_id, name, description, price, currency, category, sku)
SELECT
  users.id,
  'Product ' || number,
  'Description for product ' || number,
  ROUND(50 + (number - 1) * 500 / 19.0, 2),
  'BRL',
  (ARRAY['Electronics', 'Fashion', 'Beauty', 'Food'])[1 + (number - 1) % 4],
  'DEMO-' || LPAD(number::TEXT, 3, '0')
FROM users
CROSS JOIN generate_series(1, 20) AS number
WHERE users.email = 'demo@socialselling.com'
  AND users.deleted_at IS NULL
  AND NOT EXISTS (
    SELECT FROM products
    WHERE products.user_id = users.id
      AND products.sku = 'DEMO-' || LPAD(number::TEXT, 3, '0')
  )
ORDER BY number ASC;
