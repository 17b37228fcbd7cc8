-- The stamp of every table with updated_at, and users.

-- An older transaction that commits after a younger one must not turn the stamp back, and a stamp that the client
-- sets itself counts for nothing: except one in the future, which is left for chk_<table>_updated_at to refuse.
CREATE FUNCTION update_updated_at_column() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  IF NEW.updated_at <= clock_timestamp() THEN
    NEW.updated_at := GREATEST(OLD.updated_at, now());
  END IF;
  RETURN NEW;
END
$$;

CREATE TABLE users (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  email TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  name TEXT NOT NULL,
  timezone TEXT NOT NULL DEFAULT 'America/Sao_Paulo',
  language TEXT NOT NULL DEFAULT 'pt-BR',
  subscription_tier TEXT NOT NULL DEFAULT 'free',
  email_verified BOOLEAN NOT NULL DEFAULT FALSE,
  email_verification_token TEXT,
  password_reset_token TEXT,
  password_reset_expires TIMESTAMPTZ,
  last_login_at TIMESTAMPTZ,
  last_login_ip TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  deleted_at TIMESTAMPTZ,
  CONSTRAINT pk_users PRIMARY KEY (id),
  CONSTRAINT chk_users_email_length CHECK (char_length(email) <= 255),
  CONSTRAINT chk_users_email_shape CHECK (email ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$'),
  -- bcrypt, or argon2 in its encoded form; neither can be longer than the 255 characters that are specified
  CONSTRAINT chk_users_password_hash CHECK (
    password_hash ~ '^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$'
    OR password_hash
      ~ '^\$argon2(i|d|id)\$v=19\$m=[1-9][0-9]{0,9},t=[1-9][0-9]{0,9},p=[1-9][0-9]{0,7}\$[A-Za-z0-9+/]{11,64}\$[A-Za-z0-9+/]{16,86}$'
  ),
  CONSTRAINT chk_users_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
  CONSTRAINT chk_users_timezone_length CHECK (char_length(timezone) BETWEEN 1 AND 50),
  CONSTRAINT chk_users_language_length CHECK (char_length(language) BETWEEN 2 AND 10),
  CONSTRAINT chk_subscription_tier CHECK (subscription_tier IN ('free', 'basic', 'pro', 'enterprise')),
  CONSTRAINT chk_users_email_verification_token_length CHECK (
    char_length(email_verification_token) BETWEEN 1 AND 255
  ),
  CONSTRAINT chk_users_password_reset_token_length CHECK (char_length(password_reset_token) BETWEEN 1 AND 255),
  CONSTRAINT chk_users_password_reset CHECK ((password_reset_token IS NULL) = (password_reset_expires IS NULL)),
  CONSTRAINT chk_users_last_login_ip_length CHECK (char_length(last_login_ip) BETWEEN 2 AND 45),
  CONSTRAINT chk_users_last_login CHECK (last_login_ip IS NULL OR last_login_at IS NOT NULL),
  CONSTRAINT chk_users_updated_at CHECK (updated_at <= clock_timestamp())
);

-- among the living only: the address of a deleted user can be used again
CREATE UNIQUE INDEX idx_users_email ON users (email) WHERE deleted_at IS NULL;
CREATE INDEX idx_users_created_at ON users (created_at);
CREATE INDEX idx_users_last_login_at ON users (last_login_at);
CREATE INDEX idx_users_subscription_tier ON users (subscription_tier);

CREATE TRIGGER update_users_updated_at
  BEFORE UPDATE ON users
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- ROLLBACK
DROP TABLE users;
DROP FUNCTION update_updated_at_column();
