-- Whoever has an accepted contact is an accepted contact of theirs, and nobody is their own.
SELECT contacts.id, contacts.user_id, contacts.contact_user_id
FROM contacts
LEFT JOIN contacts AS mutual
  ON mutual.user_id = contacts.contact_user_id
  AND mutual.contact_user_id = contacts.user_id
WHERE (contacts.status = 'accepted' AND mutual.status IS DISTINCT FROM 'accepted')
   OR contacts.contact_user_id = contacts.user_id;
