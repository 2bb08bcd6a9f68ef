/**
 * What a result code of the server means to us (RFC 4511 section 4.1.9, appendix A): never "absent". "unavailable" and
 * "timeout" are said of the server, and many of them in a row make the daemon stop asking for a while; what may concern
 * a single question has another code.
 */
import { StoreError, type StoreErrorCode } from "../../src/store/store.ts";
import type { LdapResult } from "./response.ts";

export const SUCCESS = 0;
export const SIZE_LIMIT_EXCEEDED = 4;
export const NO_SUCH_OBJECT = 32;
export const INSUFFICIENT_ACCESS = 50;

const meanings: Readonly<Record<number, readonly [name: string, code: StoreErrorCode, advice?: string]>> = {
  1: ["operationsError", "unavailable"],
  2: ["protocolError", "invalid-data"],
  3: ["timeLimitExceeded", "timeout", "is the attribute indexed?"],
  [SIZE_LIMIT_EXCEEDED]: ["sizeLimitExceeded", "invalid-data", "the server holds back entries"],
  7: ["authMethodNotSupported", "denied"],
  8: ["strongerAuthRequired", "denied"],
  10: ["referral", "invalid-data", "referrals are not followed"],
  11: ["adminLimitExceeded", "denied", "is the attribute indexed, and may the account search it?"],
  13: ["confidentialityRequired", "denied", "use ldaps:// or ldap_start_tls"],
  14: ["saslBindInProgress", "denied"],
  [NO_SUCH_OBJECT]: ["noSuchObject", "invalid-data", "does the base exist, and may we read it?"],
  34: ["invalidDNSyntax", "invalid-data", "check the base"],
  48: ["inappropriateAuthentication", "denied"],
  49: ["invalidCredentials", "denied", "check the login and its password"],
  [INSUFFICIENT_ACCESS]: ["insufficientAccessRights", "denied"],
  51: ["busy", "unavailable"],
  52: ["unavailable", "unavailable"],
  53: ["unwillingToPerform", "denied"],
  80: ["other", "unavailable"],
};

/** An unsuccessful result as the error that it is. @param what was asked, for people */
export function resultError(result: LdapResult, what: string): StoreError {
  const [name, code, advice] = meanings[result.code] ?? ["unknown result", "unavailable"];
  const words = [result.message, ...result.referrals, advice].filter((word) => word !== undefined && word !== "");
  const details = words.length > 0 ? `: ${words.join("; ")}` : "";
  return new StoreError(code, `${what}: ${name} (${result.code})${details}`);
}

export function isSizeLimit(result: LdapResult): boolean {
  return result.code === SIZE_LIMIT_EXCEEDED;
}
