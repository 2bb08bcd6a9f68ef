-- The mailboxes, rights and quota that smmapd's sqlite store reads. To create the database:
--
--   sqlite3 /var/lib/smmapd/mailboxes.db < schema.sql
--
-- How names are written:
--
--   user    what precedes the "+" or "@", in lower case (as it is written, with lmtp_downcase_rcpt: no).
--           '' for a shared folder.
--   domain  as in addresses, in lower case. '' for the default domain (defaultdomain in imapd.conf), and for every
--           domain where virtdomains is off.
--   folder  the path below the INBOX, or below the shared root: levels separated by "/", in Unicode, case kept,
--           whatever unixhierarchysep says. '' for the INBOX.
--
-- A "^" is written "." in all of them: Cyrus does not distinguish the two.
--
-- A row with a limit is a quota root: its limits apply to its mailbox and to all mailboxes below it without a nearer root.
-- A row of user '' and folder '' is the root of a whole domain.

CREATE TABLE mailboxes (
  user   TEXT NOT NULL DEFAULT '',
  domain TEXT NOT NULL DEFAULT '',
  folder TEXT NOT NULL DEFAULT '',
  -- Rights of anybody to the folder, as letters of RFC 4314: "p" to post to it, "l" to see it. NULL: none.
  -- They apply to shared folders, and to a user's folder that is addressed as one (+user/fred/Lists).
  rights TEXT,
  -- In octets, and in messages. NULL: no limit here. -1: no limit, and the roots above do not apply. 0: nothing may be stored.
  storage_limit INTEGER,
  storage_used  INTEGER NOT NULL DEFAULT 0,
  message_limit INTEGER,
  message_used  INTEGER NOT NULL DEFAULT 0,
  -- 0: the row is no mailbox, and only sets limits for the mailboxes below it.
  takes_mail INTEGER NOT NULL DEFAULT 1,
  -- The user comes first: it has the most distinct values, so a look-up compares little else.
  PRIMARY KEY (user, domain, folder),
  CHECK (typeof(user) = 'text' AND instr(user, '@') = 0 AND instr(user, '^') = 0),
  CHECK (typeof(domain) = 'text' AND instr(domain, '@') = 0),
  CHECK (typeof(folder) = 'text' AND instr(folder, '^') = 0
         AND (folder = '' OR instr('/' || folder || '/', '//') = 0)),
  CHECK (user <> '' OR substr(folder, 1, 5) <> 'user/'),
  CHECK (user <> '' OR folder <> '' OR (domain <> '' AND takes_mail = 0)),
  CHECK (rights IS NULL OR typeof(rights) = 'text'),
  CHECK (storage_limit IS NULL OR (typeof(storage_limit) = 'integer' AND storage_limit >= -1)),
  CHECK (message_limit IS NULL OR (typeof(message_limit) = 'integer' AND message_limit >= -1)),
  CHECK (typeof(storage_used) = 'integer' AND storage_used >= 0),
  CHECK (typeof(message_used) = 'integer' AND message_used >= 0),
  CHECK (takes_mail IN (0, 1))
) WITHOUT ROWID;
