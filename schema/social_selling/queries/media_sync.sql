-- The synchronisation finds a post: it is stored, or brought up to date.
-- uses: idx_instagram_media_platform_id
-- rows: exactly 1
-- writes
-- pages: at most 27
-- wal: at most 900 bytes
-- $1 uuid: the account; from instagram_media.client_account_id
-- $2 text: the platform's id of the post; from (SELECT max(platform_media_id) FROM instagram_media WHERE
--      client_account_id = $1)
INSERT INTO instagram_media (client_account_id, platform_media_id, media_type, like_count)
VALUES ($1, $2, 'IMAGE', 1)
ON CONFLICT (platform_media_id) DO UPDATE
SET like_count = EXCLUDED.like_count,
    synced_at = now();
