-- Somebody has followed a short link: it is counted.
-- uses: idx_product_links_short_link
-- rows: at most 1
-- writes
-- pages: at most 37
-- wal: at most 900 bytes
-- $1 text: the link; from product_links.short_link
UPDATE product_links
SET clicks = clicks + 1
WHERE short_link = $1;
