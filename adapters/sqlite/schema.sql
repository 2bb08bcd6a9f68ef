-- The mailboxes, rights and quota that smmapd's sqlite store reads. To create the database:
--
--   sqlite3 /var/lib/smmapd/mailboxes.db < schema.sql
--
-- How names are written in all columns:
--
--   domain  as in addresses, in lower case. '' for the default domain (defaultdomain in imapd.conf), and for every
--           domain where virtdomains is off.
--   user    what precedes the "+" or "@", in lower case (as it is written, with lmtp_downcase_rcpt: no).
--           '' for a shared folder.
--   folder  the path below the INBOX, or below the shared root: levels separated by "/", in Unicode, case kept,
--           whatever unixhierarchysep says. '' for the INBOX.
--
-- A "^" is written "." in all of them: Cyrus holds the two for the same.

CREATE TABLE mailboxes (
  domain TEXT NOT NULL DEFAULT '',
  user   TEXT NOT NULL DEFAULT '',
  folder TEXT NOT NULL DEFAULT '',
  -- What anybody may do in the folder, as letters of RFC 4314: "p" to post to it, "l" to know of it. NULL: nothing.
  -- It counts for shared folders, and for a user's folder that is addressed as one (+user/fred/Lists).
  rights TEXT,
  PRIMARY KEY (domain, user, folder),
  CHECK (typeof(domain) = 'text' AND instr(domain, '@') = 0),
  CHECK (typeof(user) = 'text' AND instr(user, '@') = 0 AND instr(user, '^') = 0),
  CHECK (typeof(folder) = 'text' AND instr(folder, '^') = 0
         AND (folder = '' OR instr('/' || folder || '/', '//') = 0)),
  CHECK (user <> '' OR (folder <> '' AND substr(folder, 1, 5) <> 'user/')),
  CHECK (rights IS NULL OR typeof(rights) = 'text')
) WITHOUT ROWID;

-- A quota root limits its mailbox and all below it that has no nearer root. user '' and folder '' is a whole domain.
-- NULL: no limit. 0: nothing may be stored. A root without any limit still keeps off the roots above it.
CREATE TABLE quota_roots (
  domain        TEXT NOT NULL DEFAULT '',
  user          TEXT NOT NULL DEFAULT '',
  folder        TEXT NOT NULL DEFAULT '',
  storage_limit INTEGER,                    -- octets
  storage_used  INTEGER NOT NULL DEFAULT 0, -- octets
  message_limit INTEGER,
  message_used  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (domain, user, folder),
  CHECK (typeof(domain) = 'text' AND instr(domain, '@') = 0),
  CHECK (typeof(user) = 'text' AND instr(user, '@') = 0 AND instr(user, '^') = 0),
  CHECK (typeof(folder) = 'text' AND instr(folder, '^') = 0
         AND (folder = '' OR instr('/' || folder || '/', '//') = 0)),
  CHECK (domain <> '' OR user <> '' OR folder <> ''),
  CHECK (storage_limit IS NULL OR (typeof(storage_limit) = 'integer' AND storage_limit >= 0)),
  CHECK (message_limit IS NULL OR (typeof(message_limit) = 'integer' AND message_limit >= 0)),
  CHECK (typeof(storage_used) = 'integer' AND storage_used >= 0),
  CHECK (typeof(message_used) = 'integer' AND message_used >= 0)
) WITHOUT ROWID;
