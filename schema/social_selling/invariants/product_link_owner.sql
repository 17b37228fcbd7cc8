-- A product link's product and account belong to the link's user.
SELECT
  product_links.id,
  product_links.user_id,
  products.user_id AS product_owner,
  client_accounts.user_id AS account_owner
FROM product_links
LEFT JOIN products ON products.id = product_links.product_id
LEFT JOIN client_accounts ON client_accounts.id = product_links.client_account_id
WHERE products.user_id IS DISTINCT FROM product_links.user_id
   OR client_accounts.user_id IS DISTINCT FROM product_links.user_id;
