-- Plans, installations of the app, optimization jobs with their items, and the log of what was published.

CREATE TYPE job_status AS ENUM ('PENDING', 'RUNNING', 'DONE', 'FAILED', 'CANCELED');
CREATE TYPE item_status AS ENUM ('PENDING', 'RUNNING', 'DONE', 'FAILED');

CREATE TABLE plans (
  -- a short word, the same on every database
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  price_cents INTEGER NOT NULL,
  monthly_credits INTEGER NOT NULL,
  CONSTRAINT pk_plans PRIMARY KEY (id),
  CONSTRAINT uq_plans_name UNIQUE (name),
  CONSTRAINT chk_plans_id CHECK (id ~ '^[a-z][a-z0-9_]{0,49}$'),
  CONSTRAINT chk_plans_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
  CONSTRAINT chk_plans_price_cents CHECK (price_cents >= 0),
  CONSTRAINT chk_plans_monthly_credits CHECK (monthly_credits >= 0)
);

CREATE TABLE app_instances (
  -- the platform's own name for an installation
  instance_id TEXT NOT NULL,
  site_host TEXT NOT NULL,
  access_token TEXT,
  refresh_token TEXT,
  token_expires_at TIMESTAMPTZ,
  plan_id TEXT NOT NULL,
  credits_total INTEGER NOT NULL,
  credits_used_month INTEGER NOT NULL DEFAULT 0,
  -- the first day of the next month, in UTC whatever the session's time zone
  credits_reset_on DATE NOT NULL DEFAULT (date_trunc('month', now() AT TIME ZONE 'UTC') + INTERVAL '1 month')::DATE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_app_instances PRIMARY KEY (instance_id),
  -- a plan that is in use cannot be deleted
  CONSTRAINT fk_app_instances_plan FOREIGN KEY (plan_id) REFERENCES plans (id) ON DELETE RESTRICT,
  CONSTRAINT chk_app_instances_instance_id_length CHECK (char_length(instance_id) BETWEEN 1 AND 255),
  CONSTRAINT chk_app_instances_site_host_length CHECK (char_length(site_host) BETWEEN 1 AND 253),
  -- hosts are the same in any case: one way to write them, so that a look-up finds them
  CONSTRAINT chk_app_instances_site_host_lower CHECK (site_host = lower(site_host)),
  -- encrypted, by their looks: armor(pgp_sym_encrypt(token, key))
  CONSTRAINT chk_app_instances_access_token CHECK (
    access_token
      ~ '^-----BEGIN PGP MESSAGE-----\n\n([A-Za-z0-9+/]{2,76}={0,2}\n)+=[A-Za-z0-9+/]{4}\n-----END PGP MESSAGE-----\n$'
  ),
  CONSTRAINT chk_app_instances_refresh_token CHECK (
    refresh_token
      ~ '^-----BEGIN PGP MESSAGE-----\n\n([A-Za-z0-9+/]{2,76}={0,2}\n)+=[A-Za-z0-9+/]{4}\n-----END PGP MESSAGE-----\n$'
  ),
  CONSTRAINT chk_app_instances_token_expires_at CHECK (token_expires_at IS NULL OR access_token IS NOT NULL),
  CONSTRAINT chk_app_instances_credits CHECK (credits_used_month >= 0 AND credits_used_month <= credits_total),
  CONSTRAINT chk_app_instances_updated_at CHECK (updated_at <= clock_timestamp())
);

CREATE INDEX idx_app_instances_site_host ON app_instances (site_host);
CREATE INDEX idx_app_instances_credits_reset ON app_instances (credits_reset_on);
CREATE INDEX idx_app_instances_plan_id ON app_instances (plan_id);

CREATE TABLE jobs (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  instance_id TEXT NOT NULL,
  status job_status NOT NULL DEFAULT 'PENDING',
  source_scope TEXT NOT NULL,
  source_ids JSONB NOT NULL DEFAULT '[]',
  attributes JSONB NOT NULL DEFAULT '[]',
  target_lang TEXT NOT NULL DEFAULT 'en',
  user_prompt TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ,
  error TEXT,
  CONSTRAINT pk_jobs PRIMARY KEY (id),
  CONSTRAINT fk_jobs_instance FOREIGN KEY (instance_id) REFERENCES app_instances (instance_id) ON DELETE CASCADE,
  CONSTRAINT chk_jobs_source_scope_length CHECK (char_length(source_scope) BETWEEN 1 AND 50),
  CONSTRAINT chk_jobs_source_ids CHECK (jsonb_typeof(source_ids) = 'array'),
  -- names of attributes, or names with what is asked of each
  CONSTRAINT chk_jobs_attributes CHECK (jsonb_typeof(attributes) IN ('array', 'object')),
  CONSTRAINT chk_jobs_target_lang CHECK (target_lang ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$'),
  CONSTRAINT chk_jobs_user_prompt_length CHECK (char_length(user_prompt) <= 10000),
  -- a job that is canceled may never have been started
  CONSTRAINT chk_jobs_started CHECK (
    (status <> 'PENDING' OR started_at IS NULL) AND (status IN ('PENDING', 'CANCELED') OR started_at IS NOT NULL)
  ),
  CONSTRAINT chk_jobs_finished CHECK ((status IN ('DONE', 'FAILED', 'CANCELED')) = (finished_at IS NOT NULL)),
  CONSTRAINT chk_jobs_order CHECK (started_at <= finished_at),
  CONSTRAINT chk_jobs_error CHECK (error IS NULL OR status = 'FAILED'),
  CONSTRAINT chk_jobs_error_text CHECK (error <> '')
);

-- the dashboard
CREATE INDEX idx_jobs_instance_status ON jobs (instance_id, status);
CREATE INDEX idx_jobs_created_at ON jobs (created_at DESC);

CREATE TABLE job_items (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  job_id UUID NOT NULL,
  product_id TEXT NOT NULL,
  attribute TEXT NOT NULL,
  before_value TEXT,
  after_value TEXT,
  status item_status NOT NULL DEFAULT 'PENDING',
  error TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_job_items PRIMARY KEY (id),
  CONSTRAINT fk_job_items_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE,
  CONSTRAINT chk_job_items_product_id_length CHECK (char_length(product_id) BETWEEN 1 AND 255),
  CONSTRAINT chk_job_items_attribute_length CHECK (char_length(attribute) BETWEEN 1 AND 100),
  CONSTRAINT chk_job_items_error CHECK (error IS NULL OR status = 'FAILED'),
  CONSTRAINT chk_job_items_error_text CHECK (error <> ''),
  CONSTRAINT chk_job_items_updated_at CHECK (updated_at <= clock_timestamp())
);

-- the status beside the key: whether a job has an item of some status is asked whenever one of its items changes, and
-- which of them is the oldest by every claim
CREATE INDEX idx_job_items_job_id ON job_items (job_id, status, created_at);
-- the workers' queue, the oldest first; items that are finished leave it
CREATE INDEX idx_job_items_status ON job_items (status, created_at) WHERE status IN ('PENDING', 'RUNNING');
CREATE INDEX idx_job_items_product ON job_items (product_id);

CREATE TABLE publish_logs (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  instance_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  attribute TEXT NOT NULL,
  applied_value TEXT NOT NULL,
  applied_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_publish_logs PRIMARY KEY (id),
  CONSTRAINT fk_publish_logs_instance
    FOREIGN KEY (instance_id) REFERENCES app_instances (instance_id) ON DELETE CASCADE,
  CONSTRAINT chk_publish_logs_product_id_length CHECK (char_length(product_id) BETWEEN 1 AND 255),
  CONSTRAINT chk_publish_logs_attribute_length CHECK (char_length(attribute) BETWEEN 1 AND 100)
);

-- the audit of an installation, the latest first; that of a product
CREATE INDEX idx_publish_logs_instance ON publish_logs (instance_id, applied_at DESC);
CREATE INDEX idx_publish_logs_product ON publish_logs (product_id);

INSERT INTO plans (id, name, price_cents, monthly_credits)
VALUES
  ('free', 'Free', 0, 100),
  ('starter', 'Starter', 900, 1000),
  ('pro', 'Pro', 1900, 5000),
  ('scale', 'Scale', 4900, 25000);

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

REVOKE ALL ON FUNCTION update_updated_at_column() FROM PUBLIC;

CREATE TRIGGER update_app_instances_updated_at
  BEFORE UPDATE ON app_instances
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_job_items_updated_at
  BEFORE UPDATE ON job_items
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- ROLLBACK
DROP TABLE publish_logs;
DROP TABLE job_items;
DROP TABLE jobs;
DROP TABLE app_instances;
DROP TABLE plans;
DROP TYPE item_status;
DROP TYPE job_status;
DROP FUNCTION update_updated_at_column();
