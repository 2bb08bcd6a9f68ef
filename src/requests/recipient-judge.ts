/**
 * The one path from the key of a request to its outcome: parse the recipient, look its mailbox up, decide. Socketmap,
 * access maps, policy delegation and `smmapd check` all take it, so they cannot disagree.
 */
import { unquoted } from "../engine/quoted-localpart.ts";
import type { Recipient, RecipientParser, Unaddressable } from "../engine/recipient.ts";
import { decide, decideWithoutFacts, type Failure, type ReplyPolicy, type Verdict } from "../engine/verdict.ts";
import type { Lookup } from "../store/lookup.ts";
import { type Log, type MailboxFacts, type MailboxId, type MailboxStore, StoreError } from "../store/store.ts";

export interface JudgeOptions {
  readonly recipients: RecipientParser;
  readonly store: MailboxStore;
  readonly policy: ReplyPolicy;
  readonly log: Log;
}

export interface JudgeQuestion {
  /** Octets of the message; left out: not known, so it fits wherever anything does. */
  readonly size?: number;
  /** Also judge a quoted local part without its quotes: Postfix asks an access map for the quoted form alone. */
  readonly alsoUnquoted?: boolean;
}

export interface Judgement {
  readonly recipient: Recipient;
  readonly mailbox: MailboxId | Unaddressable;
  /** null: the store was not asked, or could not tell. */
  readonly facts: MailboxFacts | null;
  /** Why the store could not tell; null: it could, or was not asked. */
  readonly failure: StoreError | null;
  /** What is known of the recipient. */
  readonly reason: Verdict | Failure;
  /** What is replied: the reason, unless smmap_on_failure turns a failure into `accept`. */
  readonly outcome: Verdict | Failure;
}

const plainQuestion: JudgeQuestion = {};

export class RecipientJudge {
  readonly #options: JudgeOptions;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  get recipients(): RecipientParser {
    return this.#options.recipients;
  }

  /**
   * The judgement, at once where the store answers at once. Never throws, never rejects.
   * @param key byte string, one character per octet, as received
   */
  judge(key: string, lookup: Lookup, question = plainQuestion): Judgement | Promise<Judgement> {
    const judgement = this.#judgeOnce(key, lookup, question);
    if (question.alsoUnquoted !== true) return judgement;
    const retry = (first: Judgement) => {
      const plain = first.reason === "absent" ? unquoted(key) : null;
      return plain === null ? first : this.#judgeOnce(plain, lookup, question);
    };
    return judgement instanceof Promise ? judgement.then(retry) : retry(judgement);
  }

  #judgeOnce(key: string, lookup: Lookup, question: JudgeQuestion): Judgement | Promise<Judgement> {
    let recipient = unparsed;
    let mailbox: MailboxId | Unaddressable = unparsedMailbox;
    try {
      recipient = this.#options.recipients.split(key);
      mailbox = this.#options.recipients.locate(recipient);
      if (mailbox.kind === "none") {
        return { recipient, mailbox, facts: null, failure: null, reason: "absent", outcome: "absent" };
      }
      const facts = this.#options.store.lookup(mailbox, lookup);
      if (facts instanceof Promise) return this.#judgeLater(recipient, mailbox, facts, question);
      return judged(recipient, mailbox, facts, question);
    } catch (error) {
      return this.#failed(recipient, mailbox, error);
    }
  }

  async #judgeLater(
    recipient: Recipient,
    mailbox: MailboxId,
    facts: Promise<MailboxFacts>,
    question: JudgeQuestion,
  ): Promise<Judgement> {
    try {
      return judged(recipient, mailbox, await facts, question);
    } catch (error) {
      return this.#failed(recipient, mailbox, error);
    }
  }

  /** The guard has logged a StoreError; anything else is an internal error, which no option turns into `accept`. */
  #failed(recipient: Recipient, mailbox: MailboxId | Unaddressable, error: unknown): Judgement {
    const { policy, log } = this.#options;
    const known = { recipient, mailbox, facts: null };
    if (!(error instanceof StoreError)) {
      log.error(`internal error: ${error instanceof Error ? error.stack : String(error)}`);
      const failure = new StoreError("internal", `internal error: ${error}`, { cause: error });
      return { ...known, failure, reason: "failed", outcome: "failed" };
    }
    const reason = error.code === "timeout" ? "timeout" : "failed";
    return { ...known, failure: error, reason, outcome: decideWithoutFacts(reason, policy) };
  }
}

const unparsed: Recipient = { localpart: "", detail: null, domain: null, isDefaultDomain: true, userid: "" };
const unparsedMailbox: Unaddressable = { kind: "none", reason: "the address could not be parsed" };

function judged(recipient: Recipient, mailbox: MailboxId, facts: MailboxFacts, { size }: JudgeQuestion): Judgement {
  const verdict = decide(mailbox, facts, size);
  return { recipient, mailbox, facts, failure: null, reason: verdict, outcome: verdict };
}
