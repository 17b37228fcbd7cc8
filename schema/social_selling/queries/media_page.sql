-- An account's posts, the latest first.
-- uses: idx_instagram_media_client_account
-- $1 uuid: the account; from instagram_media.client_account_id
SELECT id, media_type, media_url, thumbnail_url, caption, like_count, comment_count, "timestamp"
FROM instagram_media
WHERE client_account_id = $1
ORDER BY "timestamp" DESC NULLS LAST
LIMIT 50;
