-- An account's links.
-- uses: idx_product_links_client_account
-- $1 uuid: the account; from product_links.client_account_id
SELECT id, product_id, short_link, clicks
FROM product_links
WHERE client_account_id = $1
LIMIT 50;
