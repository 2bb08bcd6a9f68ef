/** Logs one line per answer in the form of the original (Cyrus imap/smmapd.c): `auditlog: yes` and `debug: yes`. */
import type { RecipientParser } from "../engine/recipient.ts";
import { type Failure, type ReplyPolicy, replyTo, type Verdict } from "../engine/verdict.ts";
import type { Log } from "../store/store.ts";

export interface AuditLogOptions {
  /** auditlog: each answer, at the level notice. */
  readonly isAudited: boolean;
  /** debug: the reason of each refusal. */
  readonly isDebug: boolean;
  readonly recipients: RecipientParser;
  readonly policy: ReplyPolicy;
  readonly log: Log;
}

const words: Readonly<Record<Verdict | Failure, string>> = {
  accept: "ok",
  absent: "nonexistent",
  "over-quota": "overquota",
  denied: "failed",
  failed: "failed",
  timeout: "failed",
};

export class AuditLog {
  readonly #options: AuditLogOptions;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /**
   * @param key as received, a byte string
   * @param client from `clientName`
   */
  write(outcome: Verdict | Failure, key: string, client: string): void {
    const { isAudited, isDebug, policy } = this.#options;
    if (isDebug && outcome !== "accept") this.#writeReason(outcome, key);
    if (!isAudited) return;
    this.#writeLine(words[outcome], key, client);
    if (outcome === "over-quota" && policy.overQuotaIsPermanent) this.#writeLine("failed", key, client);
  }

  /** Logs a request without a key, which violates the protocol. */
  writeFault(client: string): void {
    if (this.#options.isAudited) this.#writeLine("failed", "", client);
  }

  #writeLine(word: string, key: string, client: string): void {
    this.#options.log.notice(`auditlog: ${word} userid=<${bracketed(decoded(key))}> client=<${client}>`);
  }

  #writeReason(outcome: Verdict | Failure, key: string): void {
    const { recipients, policy, log } = this.#options;
    const reply = replyTo(outcome, key, policy);
    const reason = reply.slice(reply.indexOf(" ") + 1);
    log.debug(`verify_user(${bracketed(recipients.split(key).userid)}) failed: ${reason}`);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Escapes brackets, so that an address cannot end the brackets around it: "fred> client=<x" is a valid address. */
function bracketed(text: string): string {
  return text.replace(/[<>()]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`);
}

/** Decodes a byte string as UTF-8; if it is not valid, octets beyond ASCII are written as \xNN. */
function decoded(bytes: string): string {
  if (/^[\x00-\x7f]*$/.test(bytes)) return bytes;
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    return bytes.replace(/[\x80-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`);
  }
}
