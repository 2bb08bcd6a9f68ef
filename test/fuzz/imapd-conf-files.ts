/** Configuration files as people, editors and programs leave them, and worse. */
import fc from "fast-check";
import { cyrusOptions } from "../../src/config/cyrus-options.ts";
import { keys } from "../../src/config/keys.ts";

/** Contents by name: byte strings. */
export type Files = Readonly<Record<string, string>>;

export const main = "/etc/imapd.conf";
const others = ["a.inc", "b.inc"] as const;

const octets = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((values) => Buffer.from(values).toString("latin1"));
const name = fc
  .tuple(
    fc.constantFrom("", "", "", "smmap_", "SMMAP_", "imap_", "smmap_smmap_"),
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...keys.map((key) => key.name)) },
      { weight: 1, arbitrary: fc.constantFrom(...cyrusOptions) },
      {
        weight: 1,
        arbitrary: fc.constantFrom("__proto__", "constructor", "toString", "-", "_", "a", "smmap_lisen", ""),
      },
    ),
  )
  .map((parts) => parts.join(""));
const words = keys.flatMap((key) => [...(key.values ?? []), key.default ?? ""]).filter((word) => word !== "");
const value = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...words) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      ...["/var/lib/x", "/", "relative", "{configdirectory}/x", "0", "-1", "1", "010", "0x10", "08", "2147483648"],
      ...["1h30m", "1d", "9999999d", "1x", "10 KiB", "16k", "99999999999999999999", "1.5", "yes", "no", "on", "off"],
      ...[
        "YES",
        "t",
        "127.0.0.1:25",
        "[::1]:25",
        "[::1",
        ":",
        "/a /a",
        "localhost:99999",
        "ldap://a ldap://b",
        "ldap:",
      ],
      ...["(mail=%u)", "(&(a=b)", "%", "%q", "%U@%d", "SELECT 1", "SELECT :address; DROP", "DELETE FROM a", "'%u'"],
      ...[
        "a=ok b=notfound",
        "a=b=c",
        "host:1/tls",
        "host/plain",
        "fe80::1",
        "#",
        "\\",
        '"',
        "$(x)",
        "\xc3\xa9",
        "\xe9",
      ],
    ),
  },
  { weight: 1, arbitrary: octets(30) },
);
const colon = fc.constantFrom(":", ": ", ": ", ": ", " : ", ":\t", "=", " ", "::", "");
const end = fc.constantFrom(
  "\n",
  "\n",
  "\n",
  "\n",
  "\n",
  "\r\n",
  "\\\n",
  "\\\r\n",
  "\0\n",
  "\r",
  " \n",
  "\\\\\n",
  " # x\n",
);
const line = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(name, fc.constant(": "), value, fc.constant("\n")) },
  { weight: 3, arbitrary: fc.tuple(name, colon, value, end) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("#", " #", "\t# x", ";", "\xef\xbb\xbf"), value, end) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom("@include: ", "@INCLUDE: ", "@include:", "@other: "),
      fc.constantFrom(...others, main, "./a.inc", "missing.inc", "", "a.inc\0b"),
      end,
    ),
  },
  { weight: 1, arbitrary: fc.tuple(octets(60), end) },
);
const file = fc.array(line, { maxLength: 8 }).map((lines) => lines.flat().join(""));
/** What lets a start get far. */
const beginning = fc.constantFrom(
  ...["", "configdirectory: relative\n", "configdirectory: /var/lib/x\n", "configdirectory: /var/lib/x\n"],
  "configdirectory: /var/lib/x\nsmmap_store: sqlite\nsql_database: a.db\n",
  "configdirectory: /var/lib/x\nsmmap_store: ldap\nldap_uri: ldap://a\nsmmap_ldap_preset: kolab\n",
  "configdirectory: /var/lib/x\nsmmap_store: imap\nsmmap_imap_server: a\nproxy_password: b\n",
);
/** Octets that are put in the place of others. */
const edits = fc.oneof(
  { weight: 2, arbitrary: fc.array(fc.tuple(fc.nat(), octets(3), fc.nat()), { maxLength: 0 }) },
  { weight: 1, arbitrary: fc.array(fc.tuple(fc.nat({ max: 300 }), octets(3), fc.nat({ max: 4 })), { maxLength: 3 }) },
);

export const anyFiles: fc.Arbitrary<Files> = fc
  .record({
    start: beginning,
    text: fc.oneof({ weight: 9, arbitrary: file }, { weight: 1, arbitrary: octets(300) }),
    damage: edits,
    included: fc.tuple(file, file),
  })
  .map(({ start, text, damage, included: [first, second] }) => ({
    [main]: damage.reduce((all, [at, put, drop]) => all.slice(0, at) + put + all.slice(at + drop), start + text),
    [others[0]]: first,
    [others[1]]: second,
  }));
