-- Products that a message speaks of.

CREATE TABLE message_products (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  message_id UUID NOT NULL,
  product_id UUID NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_message_products PRIMARY KEY (id),
  CONSTRAINT unique_message_product UNIQUE (message_id, product_id),
  CONSTRAINT fk_message_products_message FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
  CONSTRAINT fk_message_products_product FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
);

CREATE INDEX idx_message_products_product ON message_products (product_id);

-- ROLLBACK
DROP TABLE message_products;
