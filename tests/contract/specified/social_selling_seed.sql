-- social_selling's seed as its specification writes it: the table refuses its hash, and it is not idempotent.

-- Development seed data (DO NOT run in production)

-- Insert test user
INSERT INTO users (email, password_hash, name, email_verified)
VALUES (
  'demo@socialselling.com',
  '$2b$12$KIXxJ8F9xQZYh5YvZ5YvZ5YvZ5YvZ5YvZ5YvZ5YvZ5YvZ5YvZ5Yv', -- password: Demo123!
  'Demo User',
  true
) ON CONFLICT (email) DO NOTHING;

-- Insert test products
INSERT INTO products (user_id, name, description, price, currency, category, is_available)
SELECT
  u.id,
  'Product ' || generate_series,
  'Description for product ' || generate_series,
  (random() * 500 + 50)::DECIMAL(10,2),
  'BRL',
  (ARRAY['Electronics', 'Fashion', 'Beauty', 'Food'])[floor(random() * 4 + 1)],
  true
FROM users u, generate_series(1, 20)
WHERE u.email = 'demo@socialselling.com';
