/** What becomes of mail to a recipient, for Postfix' access controls. */

import { unquoted } from "../engine/quoted-localpart.ts";
import type { RecipientParser } from "../engine/recipient.ts";
import { decide, decideWithoutFacts, type Failure, type ReplyPolicy, type Verdict } from "../engine/verdict.ts";
import type { FactSource } from "../store/fact-source.ts";
import type { Lookup } from "../store/lookup.ts";
import { type Log, StoreError } from "../store/store.ts";

export interface RecipientCheckOptions {
  readonly recipients: RecipientParser;
  readonly store: FactSource;
  readonly policy: ReplyPolicy;
  readonly log: Log;
}

export interface Judgement {
  /** What is known of the recipient. */
  readonly reason: Verdict | Failure;
  /** What is said of it: the same, but for smmap_on_failure. */
  readonly outcome: Verdict | Failure;
}

export class RecipientCheck {
  readonly #options: RecipientCheckOptions;

  constructor(options: RecipientCheckOptions) {
    this.#options = options;
  }

  /**
   * Postfix asks an access map for a quoted local part only as it is quoted, so the plain form is tried besides.
   * Never rejects.
   * @param key byte string
   * @param size octets of the message; 0: not known
   */
  async judge(key: string, size: number, lookup: Lookup): Promise<Judgement> {
    try {
      const asWritten = await this.#decide(key, size, lookup);
      const plain = asWritten === "absent" ? unquoted(key) : null;
      const verdict = plain === null ? asWritten : await this.#decide(plain, size, lookup);
      return { reason: verdict, outcome: verdict };
    } catch (error) {
      return judgeFailure(error, this.#options);
    }
  }

  async #decide(key: string, size: number, lookup: Lookup): Promise<Verdict> {
    const { recipients, store } = this.#options;
    const mailbox = recipients.parse(key);
    return mailbox.kind === "none" ? "absent" : decide(mailbox, await store.lookup(mailbox, lookup), size);
  }
}

/** The guard has told the log of a StoreError; anything else is a mistake of ours. */
export function judgeFailure(error: unknown, { policy, log }: { policy: ReplyPolicy; log: Log }): Judgement {
  if (!(error instanceof StoreError)) {
    log.error(`a mistake in smmapd: ${error instanceof Error ? error.stack : String(error)}`);
    return { reason: "failed", outcome: "failed" };
  }
  const reason = error.code === "timeout" ? "timeout" : "failed";
  return { reason, outcome: decideWithoutFacts(reason, policy) };
}
