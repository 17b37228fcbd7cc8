-- Products linked from posts, with what the links brought in.

CREATE TABLE product_links (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  product_id UUID NOT NULL,
  client_account_id UUID NOT NULL,
  instagram_media_id TEXT,
  short_link TEXT,
  clicks INTEGER NOT NULL DEFAULT 0,
  conversions INTEGER NOT NULL DEFAULT 0,
  revenue NUMERIC(10, 2) NOT NULL DEFAULT 0,
  is_active BOOLEAN NOT NULL DEFAULT TRUE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_product_links PRIMARY KEY (id),
  -- the product and the account of a link belong to one user
  CONSTRAINT fk_product_links_product
    FOREIGN KEY (product_id, user_id) REFERENCES products (id, user_id) ON DELETE CASCADE,
  CONSTRAINT fk_product_links_client_account
    FOREIGN KEY (client_account_id, user_id) REFERENCES client_accounts (id, user_id) ON DELETE CASCADE,
  CONSTRAINT chk_product_links_instagram_media_id_length CHECK (char_length(instagram_media_id) BETWEEN 1 AND 255),
  CONSTRAINT chk_product_links_short_link_length CHECK (char_length(short_link) BETWEEN 1 AND 255),
  CONSTRAINT chk_product_links_clicks CHECK (clicks >= 0),
  CONSTRAINT chk_product_links_conversions CHECK (conversions >= 0),
  CONSTRAINT chk_product_links_revenue CHECK (revenue >= 0 AND revenue <> 'NaN'),
  CONSTRAINT chk_product_links_updated_at CHECK (updated_at <= clock_timestamp())
);

CREATE UNIQUE INDEX idx_product_links_short_link ON product_links (short_link);
CREATE INDEX idx_product_links_product_clicks ON product_links (product_id, clicks DESC);
CREATE INDEX idx_product_links_client_account ON product_links (client_account_id);
CREATE INDEX idx_product_links_instagram_media ON product_links (instagram_media_id);

CREATE TRIGGER update_product_links_updated_at
  BEFORE UPDATE ON product_links
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- ROLLBACK
DROP TABLE product_links;
