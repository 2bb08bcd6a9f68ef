/** What a hostile or broken IMAP server makes of an answer. Answers are byte strings, "TAG" standing for the tag. */
import fc from "fast-check";

/** Numbers choose the place, whatever there is to choose from. */
export type Edit =
  | { readonly kind: "flip"; readonly at: number; readonly bits: number }
  | { readonly kind: "insert"; readonly at: number; readonly octets: string }
  | { readonly kind: "drop" | "repeat"; readonly at: number; readonly count: number }
  | { readonly kind: "cut"; readonly at: number }
  | { readonly kind: "line"; readonly line: number; readonly octets: string }
  | { readonly kind: "number" | "word"; readonly which: number; readonly octets: string };

export interface Mutation {
  readonly edits: readonly Edit[];
  /** Whether the server says no more after it, or closes the connection. */
  readonly isSilent: boolean;
}

/** About others, for others, by nobody, or by no rule; none of them says that our mailbox is not there. */
const hostileLines = [
  "* QUOTAROOT user/other user/other\r\n* QUOTA user/other (STORAGE 1 1)\r\n",
  "* QUOTAROOT user/other\r\n",
  "* QUOTA user/other (STORAGE 9 1)\r\n",
  "* ACL other anyone lrs\r\n",
  "* NO Mailbox does not exist\r\n",
  "* NO [NONEXISTENT] Mailbox does not exist\r\n",
  "* BAD Mailbox does not exist\r\n",
  "* OK [NONEXISTENT] Mailbox does not exist\r\n",
  "A999 NO Mailbox does not exist\r\n",
  "1 NO Mailbox does not exist\r\n",
  "FFFFFF NO [NONEXISTENT] Mailbox does not exist\r\n",
  "XTAG NO Mailbox does not exist\r\n",
  "TAGX NO Mailbox does not exist\r\n",
  " NO Mailbox does not exist\r\n",
  "NO Mailbox does not exist\r\n",
  "+ NO Mailbox does not exist\r\n",
  "* BYE Mailbox does not exist\r\n",
  "* BYE\r\n",
  '* X "Mailbox does not exist\r\n',
  '* X "TAG NO Mailbox does not exist"\r\n',
  "* X TAG NO Mailbox does not exist\r\n",
  " TAG NO Mailbox does not exist\r\n",
  "\tTAG NO [NONEXISTENT] no\r\n",
  "* X {25}\r\nNO Mailbox does not exist\r\n",
  "* X {99999999999999999999}\r\n",
  "* X {4294967296}\r\nx\r\n",
  "* X {-1}\r\n\r\n",
  "* X {3+}\r\nabc\r\n",
  "* X ~{3}\r\nabc\r\n",
  "* X {0}\r\n\r\n",
  "* X (((((((((((((((((((\r\n",
  `* X ${"(".repeat(5_000)}\r\n`,
  "* X \0\x80\xff\r\n",
  "*\r\n",
  "\r\n",
  "\n",
  "TAG\r\n",
  "TAG OK\r\n",
  "TAG BAD no\r\n",
  "TAG NO\r\n",
  "TAG NO Permission denied\r\n",
  "TAG NO System I/O error\r\n",
  "TAG NO [UNAVAILABLE] no\r\n",
  "TAG NO [NONEXISTENTLY] no\r\n",
  "TAG NO [OVERQUOTA] NONEXISTENT\r\n",
  "TAG PREAUTH x\r\n",
  "* PREAUTH x\r\n",
  "* OK [ALERT] x\r\n",
  "* CAPABILITY\r\n",
  `* X "${"x".repeat(100_000)}"\r\n`,
  "* 1 EXISTS\r\n".repeat(2_000),
] as const;

const numbers = [
  ...["-1", "+1", "1e3", "0x10", "1.5", "NIL", "", '""', "()", "99999999999999999999", "999999999999999999999"],
  ...["9007199254740993", "18446744073709551616", "{3}\r\n123", "{1}\r\n123", "1 2", "\u00b2", "\0"],
];
const words = [
  ...["NIL", '""', "()", "{9}\r\nuser/anna", "{4}\r\nuser/anna", "{40}\r\nuser/anna", "{99999999}\r\n", '"user/anna"'],
  ...['"user/anna', "user/other", "INBOX", "&AAA-", "user/ann\xe4", "(", ")", "*", "%", "\\", '"\\"'],
];

const place = fc.nat({ max: 2_000 });
const octets = fc.uint8Array({ maxLength: 8 }).map((values) => Buffer.from(values).toString("latin1"));
const delimiters = fc.constantFrom("\r\n", "\r", "\n", '"', "{", "}", "(", ")", " ", "\0", "\\", "{1}\r\n", "[", "]");

const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("flip"), at: place, bits: fc.integer({ min: 1, max: 255 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("insert"), at: place, octets: fc.oneof(octets, delimiters) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("drop", "repeat"),
      at: place,
      count: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut"), at: place }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("line"),
      line: fc.nat({ max: 10 }),
      octets: fc.constantFrom(...hostileLines),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("number"),
      which: fc.nat({ max: 20 }),
      octets: fc.constantFrom(...numbers),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("word"), which: fc.nat({ max: 20 }), octets: fc.constantFrom(...words) }),
  },
);

export const anyMutation: fc.Arbitrary<Mutation> = fc.record({
  edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
  isSilent: fc.boolean(),
});

export function mutate(answer: string, edits: readonly Edit[]): string {
  return edits.reduce(mutateOnce, answer);
}

function mutateOnce(text: string, change: Edit): string {
  const at = "at" in change && text.length > 0 ? change.at % text.length : 0;
  const replace = (from: number, count: number, by: string) => text.slice(0, from) + by + text.slice(from + count);
  switch (change.kind) {
    case "flip":
      return replace(at, 1, String.fromCharCode(text.charCodeAt(at) ^ change.bits));
    case "insert":
      return replace(at, 0, change.octets);
    case "drop":
      return replace(at, change.count, "");
    case "repeat":
      return replace(at, 0, text.slice(at, at + change.count));
    case "cut":
      return text.slice(0, at);
    case "line": {
      const lines = text.split(/(?<=\r\n)/);
      lines.splice(change.line % (lines.length + 1), 0, change.octets);
      return lines.join("");
    }
    case "number":
    case "word": {
      const found = [...text.matchAll(change.kind === "number" ? /\d+/g : /[\w/]+/g)];
      const chosen = found[change.which % (found.length || 1)];
      return chosen === undefined ? text : replace(chosen.index, chosen[0].length, change.octets);
    }
  }
}
