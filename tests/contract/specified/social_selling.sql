-- social_selling as its specification writes it, defects included: what the schema is compared with.
-- It is applied by tests only.

-- File: 001-create-users-table.sql

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE EXTENSION IF NOT EXISTS "pgcrypto";

CREATE TABLE users (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  email VARCHAR(255) NOT NULL UNIQUE,
  password_hash VARCHAR(255) NOT NULL,
  name VARCHAR(255) NOT NULL,
  timezone VARCHAR(50) DEFAULT 'America/Sao_Paulo',
  language VARCHAR(10) DEFAULT 'pt-BR',
  subscription_tier VARCHAR(50) DEFAULT 'free',
  email_verified BOOLEAN DEFAULT FALSE,
  email_verification_token VARCHAR(255),
  password_reset_token VARCHAR(255),
  password_reset_expires TIMESTAMP,
  last_login_at TIMESTAMP,
  last_login_ip VARCHAR(45),
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),
  deleted_at TIMESTAMP,
  CONSTRAINT chk_subscription_tier CHECK (
    subscription_tier IN ('free', 'basic', 'pro', 'enterprise')
  )
);

CREATE UNIQUE INDEX idx_users_email ON users(email) WHERE deleted_at IS NULL;
CREATE INDEX idx_users_created_at ON users(created_at);
CREATE INDEX idx_users_subscription_tier ON users(subscription_tier);

-- Refresh tokens table
CREATE TABLE refresh_tokens (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  token_hash VARCHAR(255) NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  created_at TIMESTAMP DEFAULT NOW(),
  revoked_at TIMESTAMP
);

CREATE INDEX idx_refresh_tokens_user_id ON refresh_tokens(user_id);
CREATE INDEX idx_refresh_tokens_expires_at ON refresh_tokens(expires_at);
CREATE UNIQUE INDEX idx_refresh_tokens_token_hash ON refresh_tokens(token_hash) WHERE revoked_at IS NULL;

-- File: 002-create-client-accounts.sql

CREATE TABLE client_accounts (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  platform VARCHAR(50) NOT NULL,
  platform_account_id VARCHAR(255) NOT NULL,
  username VARCHAR(255) NOT NULL,
  profile_picture_url TEXT,
  follower_count INTEGER DEFAULT 0,
  following_count INTEGER DEFAULT 0,
  media_count INTEGER DEFAULT 0,
  status VARCHAR(50) DEFAULT 'active',
  metadata JSONB DEFAULT '{}',
  last_sync_at TIMESTAMP,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),
  deleted_at TIMESTAMP,
  CONSTRAINT chk_platform CHECK (platform IN ('instagram', 'whatsapp')),
  CONSTRAINT chk_status CHECK (status IN ('active', 'token_expired', 'token_revoked', 'disconnected', 'error'))
);

CREATE UNIQUE INDEX idx_client_accounts_platform_account
  ON client_accounts(platform, platform_account_id)
  WHERE deleted_at IS NULL;
CREATE INDEX idx_client_accounts_user_id ON client_accounts(user_id);
CREATE INDEX idx_client_accounts_status ON client_accounts(status);
CREATE INDEX idx_client_accounts_last_sync ON client_accounts(last_sync_at);

-- File: 003-create-oauth-tokens.sql

CREATE TABLE oauth_tokens (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  client_account_id UUID NOT NULL REFERENCES client_accounts(id) ON DELETE CASCADE,
  platform VARCHAR(50) NOT NULL,
  access_token TEXT NOT NULL, -- Encrypted with pgcrypto
  token_type VARCHAR(50) DEFAULT 'Bearer',
  expires_at TIMESTAMP NOT NULL,
  scopes TEXT[] NOT NULL,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),
  revoked_at TIMESTAMP,
  CONSTRAINT chk_oauth_platform CHECK (platform IN ('instagram', 'whatsapp'))
);

CREATE UNIQUE INDEX idx_oauth_tokens_client_account
  ON oauth_tokens(client_account_id)
  WHERE revoked_at IS NULL;
CREATE INDEX idx_oauth_tokens_user_id ON oauth_tokens(user_id);
CREATE INDEX idx_oauth_tokens_expires_at ON oauth_tokens(expires_at) WHERE revoked_at IS NULL;

-- File: 004-create-products.sql

CREATE TABLE products (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  description TEXT,
  price DECIMAL(10, 2),
  currency VARCHAR(3) DEFAULT 'BRL',
  category VARCHAR(100),
  tags TEXT[],
  images JSONB DEFAULT '[]', -- Array of image URLs
  stock_quantity INTEGER,
  sku VARCHAR(100),
  is_available BOOLEAN DEFAULT TRUE,
  metadata JSONB DEFAULT '{}',
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),
  deleted_at TIMESTAMP
);

CREATE INDEX idx_products_user_id ON products(user_id);
CREATE INDEX idx_products_category ON products(category);
CREATE INDEX idx_products_is_available ON products(is_available);
CREATE INDEX idx_products_tags ON products USING GIN(tags);
CREATE INDEX idx_products_name_search ON products USING GIN(to_tsvector('portuguese', name));

-- File: 005-create-product-links.sql

CREATE TABLE product_links (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  product_id UUID NOT NULL REFERENCES products(id) ON DELETE CASCADE,
  client_account_id UUID NOT NULL REFERENCES client_accounts(id) ON DELETE CASCADE,
  instagram_media_id VARCHAR(255), -- Associated Instagram post ID
  short_link VARCHAR(255) UNIQUE, -- Generated short link
  clicks INTEGER DEFAULT 0,
  conversions INTEGER DEFAULT 0,
  revenue DECIMAL(10, 2) DEFAULT 0,
  is_active BOOLEAN DEFAULT TRUE,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE INDEX idx_product_links_product_id ON product_links(product_id);
CREATE INDEX idx_product_links_client_account ON product_links(client_account_id);
CREATE INDEX idx_product_links_instagram_media ON product_links(instagram_media_id);
CREATE UNIQUE INDEX idx_product_links_short_link ON product_links(short_link);

-- File: 006-create-conversations.sql

CREATE TABLE conversations (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  client_account_id UUID NOT NULL REFERENCES client_accounts(id) ON DELETE CASCADE,
  platform_conversation_id VARCHAR(255) NOT NULL,
  participant_platform_id VARCHAR(255) NOT NULL, -- Instagram user ID
  participant_username VARCHAR(255),
  participant_profile_pic TEXT,
  last_message_at TIMESTAMP,
  unread_count INTEGER DEFAULT 0,
  status VARCHAR(50) DEFAULT 'open',
  metadata JSONB DEFAULT '{}',
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW(),
  CONSTRAINT chk_conversation_status CHECK (status IN ('open', 'closed', 'archived'))
);

CREATE UNIQUE INDEX idx_conversations_platform
  ON conversations(client_account_id, platform_conversation_id);
CREATE INDEX idx_conversations_client_account ON conversations(client_account_id);
CREATE INDEX idx_conversations_status ON conversations(status);
CREATE INDEX idx_conversations_last_message ON conversations(last_message_at DESC);

-- File: 007-create-messages.sql

CREATE TABLE messages (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  conversation_id UUID NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
  platform_message_id VARCHAR(255) NOT NULL UNIQUE,
  sender_type VARCHAR(50) NOT NULL, -- 'user' or 'customer'
  sender_platform_id VARCHAR(255),
  message_type VARCHAR(50) DEFAULT 'text',
  content TEXT,
  media_url TEXT,
  media_type VARCHAR(50),
  is_read BOOLEAN DEFAULT FALSE,
  sent_at TIMESTAMP NOT NULL,
  delivered_at TIMESTAMP,
  read_at TIMESTAMP,
  metadata JSONB DEFAULT '{}',
  created_at TIMESTAMP DEFAULT NOW(),
  CONSTRAINT chk_sender_type CHECK (sender_type IN ('user', 'customer')),
  CONSTRAINT chk_message_type CHECK (message_type IN ('text', 'image', 'video', 'audio', 'story_mention', 'story_reply'))
);

CREATE INDEX idx_messages_conversation ON messages(conversation_id);
CREATE INDEX idx_messages_sent_at ON messages(sent_at DESC);
CREATE INDEX idx_messages_is_read ON messages(is_read);
CREATE UNIQUE INDEX idx_messages_platform_id ON messages(platform_message_id);

-- File: 008-create-message-products.sql

CREATE TABLE message_products (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  message_id UUID NOT NULL REFERENCES messages(id) ON DELETE CASCADE,
  product_id UUID NOT NULL REFERENCES products(id) ON DELETE CASCADE,
  created_at TIMESTAMP DEFAULT NOW(),
  CONSTRAINT unique_message_product UNIQUE (message_id, product_id)
);

CREATE INDEX idx_message_products_message ON message_products(message_id);
CREATE INDEX idx_message_products_product ON message_products(product_id);

-- File: 009-create-analytics.sql

CREATE TABLE analytics_events (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  client_account_id UUID REFERENCES client_accounts(id) ON DELETE CASCADE,
  event_type VARCHAR(100) NOT NULL,
  event_category VARCHAR(50) NOT NULL, -- 'engagement', 'sales', 'message', 'content'
  entity_type VARCHAR(50), -- 'product', 'message', 'conversation', 'post'
  entity_id UUID,
  value DECIMAL(10, 2),
  metadata JSONB DEFAULT '{}',
  occurred_at TIMESTAMP NOT NULL,
  created_at TIMESTAMP DEFAULT NOW()
);

CREATE INDEX idx_analytics_user_id ON analytics_events(user_id);
CREATE INDEX idx_analytics_client_account ON analytics_events(client_account_id);
CREATE INDEX idx_analytics_event_type ON analytics_events(event_type);
CREATE INDEX idx_analytics_category ON analytics_events(event_category);
CREATE INDEX idx_analytics_occurred_at ON analytics_events(occurred_at DESC);
CREATE INDEX idx_analytics_entity ON analytics_events(entity_type, entity_id);

-- Materialized view for daily aggregations
CREATE MATERIALIZED VIEW analytics_daily_summary AS
SELECT
  user_id,
  client_account_id,
  DATE(occurred_at) as date,
  event_category,
  event_type,
  COUNT(*) as event_count,
  SUM(value) as total_value,
  AVG(value) as avg_value
FROM analytics_events
GROUP BY user_id, client_account_id, DATE(occurred_at), event_category, event_type;

CREATE UNIQUE INDEX idx_analytics_daily_unique
  ON analytics_daily_summary(user_id, client_account_id, date, event_category, event_type);
CREATE INDEX idx_analytics_daily_date ON analytics_daily_summary(date DESC);

-- File: 010-create-content-cache.sql

CREATE TABLE instagram_media (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  client_account_id UUID NOT NULL REFERENCES client_accounts(id) ON DELETE CASCADE,
  platform_media_id VARCHAR(255) NOT NULL UNIQUE,
  media_type VARCHAR(50) NOT NULL,
  media_url TEXT,
  thumbnail_url TEXT,
  permalink TEXT,
  caption TEXT,
  like_count INTEGER DEFAULT 0,
  comment_count INTEGER DEFAULT 0,
  timestamp TIMESTAMP,
  metadata JSONB DEFAULT '{}',
  synced_at TIMESTAMP DEFAULT NOW(),
  created_at TIMESTAMP DEFAULT NOW(),
  CONSTRAINT chk_media_type CHECK (media_type IN ('IMAGE', 'VIDEO', 'CAROUSEL_ALBUM'))
);

CREATE INDEX idx_instagram_media_client_account ON instagram_media(client_account_id);
CREATE UNIQUE INDEX idx_instagram_media_platform_id ON instagram_media(platform_media_id);
CREATE INDEX idx_instagram_media_timestamp ON instagram_media(timestamp DESC);

-- File: 011-create-notifications.sql

CREATE TABLE notifications (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  type VARCHAR(100) NOT NULL,
  title VARCHAR(255) NOT NULL,
  message TEXT NOT NULL,
  action_url TEXT,
  is_read BOOLEAN DEFAULT FALSE,
  metadata JSONB DEFAULT '{}',
  created_at TIMESTAMP DEFAULT NOW(),
  read_at TIMESTAMP
);

CREATE INDEX idx_notifications_user_id ON notifications(user_id);
CREATE INDEX idx_notifications_is_read ON notifications(is_read);
CREATE INDEX idx_notifications_created_at ON notifications(created_at DESC);

-- File: 012-create-functions-triggers.sql

-- Function to update updated_at timestamp
CREATE OR REPLACE FUNCTION update_updated_at_column()
RETURNS TRIGGER AS $$
BEGIN
  NEW.updated_at = NOW();
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;

-- Apply trigger to all tables with updated_at
CREATE TRIGGER update_users_updated_at
  BEFORE UPDATE ON users
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_client_accounts_updated_at
  BEFORE UPDATE ON client_accounts
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_oauth_tokens_updated_at
  BEFORE UPDATE ON oauth_tokens
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_products_updated_at
  BEFORE UPDATE ON products
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_product_links_updated_at
  BEFORE UPDATE ON product_links
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_conversations_updated_at
  BEFORE UPDATE ON conversations
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- Function to increment unread count
CREATE OR REPLACE FUNCTION increment_unread_count()
RETURNS TRIGGER AS $$
BEGIN
  IF NEW.sender_type = 'customer' AND NEW.is_read = FALSE THEN
    UPDATE conversations
    SET unread_count = unread_count + 1,
        last_message_at = NEW.sent_at
    WHERE id = NEW.conversation_id;
  END IF;
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER message_increment_unread
  AFTER INSERT ON messages
  FOR EACH ROW EXECUTE FUNCTION increment_unread_count();

-- Function to decrement unread count
CREATE OR REPLACE FUNCTION decrement_unread_count()
RETURNS TRIGGER AS $$
BEGIN
  IF OLD.is_read = FALSE AND NEW.is_read = TRUE THEN
    UPDATE conversations
    SET unread_count = GREATEST(unread_count - 1, 0)
    WHERE id = NEW.conversation_id;
  END IF;
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER message_decrement_unread
  AFTER UPDATE ON messages
  FOR EACH ROW EXECUTE FUNCTION decrement_unread_count();

-- Function to refresh analytics materialized view
CREATE OR REPLACE FUNCTION refresh_analytics_daily_summary()
RETURNS void AS $$
BEGIN
  REFRESH MATERIALIZED VIEW CONCURRENTLY analytics_daily_summary;
END;
$$ LANGUAGE plpgsql;

-- File: 013-performance-indexes.sql

-- Composite indexes for common queries

-- Users + Client Accounts join
CREATE INDEX idx_client_accounts_user_platform
  ON client_accounts(user_id, platform)
  WHERE deleted_at IS NULL;

-- Messages with conversation and timestamp (for pagination)
CREATE INDEX idx_messages_conversation_sent
  ON messages(conversation_id, sent_at DESC);

-- Products with user and availability (for listing)
CREATE INDEX idx_products_user_available
  ON products(user_id, is_available, created_at DESC)
  WHERE deleted_at IS NULL;

-- Analytics events for dashboard queries
CREATE INDEX idx_analytics_user_date_category
  ON analytics_events(user_id, occurred_at DESC, event_category);

-- Product links for tracking
CREATE INDEX idx_product_links_product_clicks
  ON product_links(product_id, clicks DESC);

-- Partial indexes for active records only
CREATE INDEX idx_conversations_active
  ON conversations(client_account_id, status, last_message_at DESC)
  WHERE status = 'open';

-- GIN indexes for full-text search
CREATE INDEX idx_products_description_search
  ON products USING GIN(to_tsvector('portuguese', description));

CREATE INDEX idx_messages_content_search
  ON messages USING GIN(to_tsvector('portuguese', content))
  WHERE message_type = 'text';
