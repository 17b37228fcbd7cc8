-- The links that stand in a post.
-- uses: idx_product_links_instagram_media
-- $1 text: the platform's id of the post; from product_links.instagram_media_id
SELECT id, product_id, short_link, clicks
FROM product_links
WHERE instagram_media_id = $1
LIMIT 50;
