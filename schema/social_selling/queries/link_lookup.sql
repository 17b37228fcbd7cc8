-- Somebody follows a short link: where it leads.
-- uses: idx_product_links_short_link
-- rows: at most 1
-- $1 text: the link; from product_links.short_link
SELECT id, product_id, client_account_id, is_active
FROM product_links
WHERE short_link = $1;
