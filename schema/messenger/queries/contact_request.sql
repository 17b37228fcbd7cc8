-- Asking somebody to be a contact.
-- uses: uq_contacts_pair, pk_users
-- rows: at most 1
-- writes
-- pages: at most 46
-- wal: at most 1100 bytes
-- $1 uuid: who asks; from (SELECT user_id FROM contacts GROUP BY user_id ORDER BY count(*) DESC, user_id ASC)
-- $2 uuid: who is asked; from (SELECT id FROM users WHERE id <> $1 AND NOT EXISTS (SELECT FROM contacts WHERE
--      user_id = $1 AND contact_user_id = users.id) ORDER BY id ASC LIMIT 1)
INSERT INTO contacts (user_id, contact_user_id)
VALUES ($1, $2)
ON CONFLICT (user_id, contact_user_id) DO NOTHING;
