-- The catalogue.

CREATE TABLE products (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  price NUMERIC(10, 2),
  currency TEXT NOT NULL DEFAULT 'BRL',
  category TEXT,
  tags TEXT[],
  images JSONB NOT NULL DEFAULT '[]',
  stock_quantity INTEGER,
  sku TEXT,
  is_available BOOLEAN NOT NULL DEFAULT TRUE,
  metadata JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  deleted_at TIMESTAMPTZ,
  CONSTRAINT pk_products PRIMARY KEY (id),
  -- what product_links refers to; it serves the foreign key to users, too
  CONSTRAINT uq_products_user_id UNIQUE (user_id, id),
  CONSTRAINT fk_products_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT chk_products_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
  -- a tsvector holds 1 MB: see README, "Limits of the indexes"
  CONSTRAINT chk_products_description_length CHECK (char_length(description) <= 10000),
  -- NaN is greater than every number
  CONSTRAINT chk_products_price CHECK (price >= 0 AND price <> 'NaN'),
  CONSTRAINT chk_products_currency CHECK (currency ~ '^[A-Z]{3}$'),
  CONSTRAINT chk_products_category_length CHECK (char_length(category) BETWEEN 1 AND 100),
  -- one key of a GIN index holds 2,712 bytes
  CONSTRAINT chk_products_tags_length CHECK (char_length(array_to_string(tags, ',')) <= 500),
  CONSTRAINT chk_products_images CHECK (jsonb_typeof(images) = 'array'),
  CONSTRAINT chk_products_stock_quantity CHECK (stock_quantity >= 0),
  CONSTRAINT chk_products_sku_length CHECK (char_length(sku) BETWEEN 1 AND 100),
  CONSTRAINT chk_products_metadata CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT chk_products_updated_at CHECK (updated_at <= clock_timestamp())
);

CREATE INDEX idx_products_user_available
  ON products (user_id, is_available, created_at DESC)
  WHERE deleted_at IS NULL;
CREATE INDEX idx_products_category ON products (user_id, category) WHERE deleted_at IS NULL;
CREATE INDEX idx_products_tags ON products USING gin (tags);
CREATE INDEX idx_products_metadata ON products USING gin (metadata jsonb_path_ops);
CREATE INDEX idx_products_name_search ON products USING gin (to_tsvector('portuguese', name));
CREATE INDEX idx_products_description_search ON products USING gin (to_tsvector('portuguese', description));

CREATE TRIGGER update_products_updated_at
  BEFORE UPDATE ON products
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- ROLLBACK
DROP TABLE products;
