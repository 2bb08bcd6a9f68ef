/**
 * The decision path from the key of a request to its outcome: parse the recipient, look its mailbox up, decide.
 * Socketmap, access maps, policy delegation and `smmapd check` use it, so their results cannot differ.
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

export interface JudgeRequest {
  /** Octets of the message; omitted: unknown, so it fits into every mailbox that is not over its limit. */
  readonly size?: number;
  /** Also try a quoted local part without its quotes: Postfix requests only the quoted form from an access map. */
  readonly alsoUnquoted?: boolean;
}

export interface Judgement {
  readonly recipient: Recipient;
  readonly mailbox: MailboxId | Unaddressable;
  /** null: there was no look-up, or it failed. */
  readonly facts: MailboxFacts | null;
  /** The error of the look-up; null: it succeeded, or there was none. */
  readonly failure: StoreError | null;
  /** The verdict, or the kind of failure. */
  readonly reason: Verdict | Failure;
  /** The outcome that is replied: the reason, unless smmap_on_failure turns a failure into `accept`. */
  readonly outcome: Verdict | Failure;
}

const defaultRequest: JudgeRequest = {};

export class RecipientJudge {
  readonly #options: JudgeOptions;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  get recipients(): RecipientParser {
    return this.#options.recipients;
  }

  /**
   * Judges a recipient, synchronously if the store answers synchronously. Never throws, never rejects.
   * @param key byte string, one character per octet, as received
   */
  judge(key: string, lookup: Lookup, request = defaultRequest): Judgement | Promise<Judgement> {
    const judgement = this.#judgeOnce(key, lookup, request);
    if (request.alsoUnquoted !== true) return judgement;
    const retry = (first: Judgement) => {
      const plain = first.reason === "absent" ? unquoted(key) : null;
      return plain === null ? first : this.#judgeOnce(plain, lookup, request);
    };
    return judgement instanceof Promise ? judgement.then(retry) : retry(judgement);
  }

  #judgeOnce(key: string, lookup: Lookup, request: JudgeRequest): Judgement | Promise<Judgement> {
    let recipient = unparsed;
    let mailbox: MailboxId | Unaddressable = unparsedMailbox;
    try {
      recipient = this.#options.recipients.split(key);
      mailbox = this.#options.recipients.locate(recipient);
      if (mailbox.kind === "none") {
        return { recipient, mailbox, facts: null, failure: null, reason: "absent", outcome: "absent" };
      }
      const facts = this.#options.store.lookup(mailbox, lookup);
      if (facts instanceof Promise) return this.#judgeLater(recipient, mailbox, facts, request);
      return judged(recipient, mailbox, facts, request);
    } catch (error) {
      return this.#failed(recipient, mailbox, error);
    }
  }

  async #judgeLater(
    recipient: Recipient,
    mailbox: MailboxId,
    facts: Promise<MailboxFacts>,
    request: JudgeRequest,
  ): Promise<Judgement> {
    try {
      return judged(recipient, mailbox, await facts, request);
    } catch (error) {
      return this.#failed(recipient, mailbox, error);
    }
  }

  /** The judgement in place of one whose reply could not be made: the store returned a mailbox that cannot be named. */
  internalError({ recipient, mailbox }: Judgement, error: unknown): Judgement {
    const cause = error instanceof StoreError ? new Error(error.message, { cause: error }) : error;
    return this.#failed(recipient, mailbox, cause);
  }

  /** The guard has logged a StoreError. Any other error is an internal error, which no option turns into `accept`. */
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

function judged(recipient: Recipient, mailbox: MailboxId, facts: MailboxFacts, { size }: JudgeRequest): Judgement {
  const verdict = decide(mailbox, facts, size);
  return { recipient, mailbox, facts, failure: null, reason: verdict, outcome: verdict };
}
