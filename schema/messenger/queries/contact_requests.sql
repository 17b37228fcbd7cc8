-- Who waits for a user's answer, the latest first.
-- uses: idx_contacts_pending
-- $1 uuid: the user; from contacts.contact_user_id where status = 'pending'
SELECT id, user_id, created_at
FROM contacts
WHERE contact_user_id = $1
  AND status = 'pending'
ORDER BY created_at DESC
LIMIT 50;
