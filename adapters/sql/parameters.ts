/** The parameters of a site's query, and their values for a mailbox. */
import { internalName, type MailboxId } from "../../src/store/store.ts";

/** `atdomain` is the domain with its "@"; `label1` is the last label of the domain, `label2` the one before it. */
export type Parameter =
  | "address"
  | "userid"
  | "localpart"
  | "domain"
  | "detail"
  | "mailbox"
  | "atdomain"
  | `label${number}`;

/** Parameters that have a name in SQL, such as :address. */
export const parameterNames: readonly Parameter[] = ["address", "userid", "localpart", "domain", "detail", "mailbox"];

/** Cyrus' tokens for parameters (imapd.conf(5), sql_user). */
export const cyrusTokens: ReadonlyMap<string, Parameter> = new Map<string, Parameter>([
  ["%u", "userid"],
  ["%U", "localpart"],
  ["%d", "domain"],
  ["%R", "atdomain"],
  ...Array.from({ length: 9 }, (_, i): [string, Parameter] => [`%${i + 1}`, `label${i + 1}`]),
]);

/** A function that returns the value of the parameter for a mailbox; '' if it has none. */
export function readerOf(parameter: Parameter): (mailbox: MailboxId) => string {
  switch (parameter) {
    case "address":
      return ({ address }) => address;
    case "userid":
      return useridOf;
    case "localpart":
      return localpartOf;
    case "domain":
      return domainOf;
    case "detail":
      return ({ detail }) => detail ?? "";
    case "mailbox":
      return internalName;
    case "atdomain":
      return ({ address }) => address.slice(localpartOf({ address }).length);
    default: {
      const fromRight = Number(parameter.slice("label".length));
      return (mailbox) => domainOf(mailbox).split(".").at(-fromRight) ?? "";
    }
  }
}

function useridOf(mailbox: MailboxId): string {
  const user = mailbox.kind === "user" ? mailbox.user : localpartOf(mailbox);
  return mailbox.domain === null ? user : `${user}@${mailbox.domain}`;
}

function localpartOf({ address }: Pick<MailboxId, "address">): string {
  const at = address.lastIndexOf("@");
  return at < 0 ? address : address.slice(0, at);
}

function domainOf({ address }: Pick<MailboxId, "address">): string {
  const at = address.lastIndexOf("@");
  return at < 0 ? "" : address.slice(at + 1);
}
