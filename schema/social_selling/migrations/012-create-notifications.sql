-- What users are told.

CREATE TABLE notifications (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  type TEXT NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  action_url TEXT,
  is_read BOOLEAN NOT NULL DEFAULT FALSE,
  metadata JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  read_at TIMESTAMPTZ,
  CONSTRAINT pk_notifications PRIMARY KEY (id),
  CONSTRAINT fk_notifications_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT chk_notifications_type_length CHECK (char_length(type) BETWEEN 1 AND 100),
  CONSTRAINT chk_notifications_title_length CHECK (char_length(title) BETWEEN 1 AND 255),
  CONSTRAINT chk_notifications_message CHECK (message <> ''),
  CONSTRAINT chk_notifications_metadata CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT chk_notifications_read_at CHECK (read_at IS NULL OR is_read)
);

CREATE INDEX idx_notifications_user_id ON notifications (user_id, created_at DESC);
CREATE INDEX idx_notifications_is_read ON notifications (user_id, created_at DESC) WHERE NOT is_read;

-- ROLLBACK
DROP TABLE notifications;
