-- A user's contacts, the latest first.
-- uses: idx_contacts_user_status
-- $1 uuid: the user; from contacts.user_id where status = 'accepted'
SELECT contact_user_id, nickname, is_favorite, created_at
FROM contacts
WHERE user_id = $1
  AND status = 'accepted'
ORDER BY created_at DESC
LIMIT 50;
