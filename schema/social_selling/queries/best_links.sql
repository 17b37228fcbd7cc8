-- Which links of a product bring the most clicks.
-- uses: idx_product_links_product_clicks
-- $1 uuid: the product; from product_links.product_id
SELECT id, short_link, clicks, conversions, revenue
FROM product_links
WHERE product_id = $1
ORDER BY clicks DESC
LIMIT 20;
