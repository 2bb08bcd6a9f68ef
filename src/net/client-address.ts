/** Who is one client, and how many connections each of them has. */
import { isIPv4 } from "node:net";

/** Without the prefix that an IPv4 address has on a socket of IPv6 (RFC 4291 section 2.5.5.2). */
export function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}

/**
 * An IPv4 address, or the first 64 bits of one of IPv6: so many addresses has whoever has any (RFC 6177).
 * @param address of the other end; undefined: it is a UNIX socket, and nobody knows
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

/** Counts by network. What has none is not counted. */
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
 * Who asks, in the original's words.
 * @param address of the other end; undefined: it is a UNIX socket
 */
export function clientName(address: string | undefined): string {
  if (address === undefined) return "[unix socket]";
  const ip = unmapped(address);
  // The original asks DNS for the name and waits. The one name that is known without it is this machine's.
  return ip === "::1" || ip.startsWith("127.") ? `localhost [${ip}]` : `[${ip}]`;
}
