-- An image is uploaded, to be sent afterwards.
-- uses: pk_users
-- rows: exactly 1
-- writes
-- pages: at most 27
-- wal: at most 800 bytes
-- $1 uuid: the user; from attachments.uploaded_by
-- $2 text: where it is stored; from 'new/' || gen_random_uuid()
INSERT INTO attachments (uploaded_by, storage_key, file_name, mime_type, file_size)
VALUES ($1, $2, 'cat.jpg', 'image/jpeg', 123456);
