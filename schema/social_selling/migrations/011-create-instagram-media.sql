-- A cache of what the accounts have posted.

CREATE TABLE instagram_media (
  id UUID NOT NULL DEFAULT gen_random_uuid(),
  client_account_id UUID NOT NULL,
  platform_media_id TEXT NOT NULL,
  media_type TEXT NOT NULL,
  media_url TEXT,
  thumbnail_url TEXT,
  permalink TEXT,
  caption TEXT,
  like_count INTEGER NOT NULL DEFAULT 0,
  comment_count INTEGER NOT NULL DEFAULT 0,
  "timestamp" TIMESTAMPTZ,
  metadata JSONB NOT NULL DEFAULT '{}',
  synced_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  CONSTRAINT pk_instagram_media PRIMARY KEY (id),
  CONSTRAINT fk_instagram_media_client_account
    FOREIGN KEY (client_account_id) REFERENCES client_accounts (id) ON DELETE CASCADE,
  CONSTRAINT chk_instagram_media_platform_media_id_length CHECK (char_length(platform_media_id) BETWEEN 1 AND 255),
  CONSTRAINT chk_media_type CHECK (media_type IN ('IMAGE', 'VIDEO', 'CAROUSEL_ALBUM')),
  CONSTRAINT chk_instagram_media_like_count CHECK (like_count >= 0),
  CONSTRAINT chk_instagram_media_comment_count CHECK (comment_count >= 0),
  CONSTRAINT chk_instagram_media_metadata CHECK (jsonb_typeof(metadata) = 'object')
);

CREATE UNIQUE INDEX idx_instagram_media_platform_id ON instagram_media (platform_media_id);
CREATE INDEX idx_instagram_media_client_account
  ON instagram_media (client_account_id, "timestamp" DESC NULLS LAST);

-- ROLLBACK
DROP TABLE instagram_media;
