/** Addresses of clients: what counts as one client, and how a client is named in logs. */
import { isIPv4 } from "node:net";

/** Removes the prefix of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2). */
export function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}

/**
 * The network that counts as one client: an IPv4 address, or the /64 prefix of an IPv6 address, which is the smallest
 * assignment to a site (RFC 6177).
 * @param address of the peer; undefined: a UNIX socket, on which clients cannot be distinguished
 */
export function networkOf(address: string | undefined): string | null {
  if (address === undefined) return null;
  const ip = unmapped(address);
  if (isIPv4(ip)) return ip;
  const [head = "", tail = ""] = ip.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => "0");
  return `${[...first, ...zeros, ...last].slice(0, 4).join(":")}::/64`;
}

/** Connections by network. Connections without a network (null) are not counted. */
export class NetworkCounts {
  readonly #counts = new Map<string, number>();

  of(network: string | null): number {
    return network === null ? 0 : (this.#counts.get(network) ?? 0);
  }

  add(network: string | null): void {
    if (network !== null) this.#counts.set(network, this.of(network) + 1);
  }

  remove(network: string | null): void {
    if (network === null) return;
    const rest = this.of(network) - 1;
    if (rest > 0) this.#counts.set(network, rest);
    else this.#counts.delete(network);
  }
}

/**
 * The name of a client in the audit log, in the form of the original's.
 * @param address of the peer; undefined: a UNIX socket
 */
export function clientName(address: string | undefined): string {
  if (address === undefined) return "[unix socket]";
  const ip = unmapped(address);
  // The original looks the name up in DNS and waits. Only the loopback's name is known without that.
  return ip === "::1" || ip.startsWith("127.") ? `localhost [${ip}]` : `[${ip}]`;
}
