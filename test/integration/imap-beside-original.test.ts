/** Our daemon with the imap store, and the real smmapd of the same Cyrus, asked the same. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadGolden } from "../../fixtures/golden.ts";
import { Cyrus } from "../../fixtures/servers/cyrus.ts";
import { type CyrusDaemon, startCyrusDaemon } from "../../fixtures/servers/cyrus-daemon.ts";
import { type CyrusPopulation, goldenPopulation, populate } from "../../fixtures/servers/cyrus-population.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

/** A repeatable sequence of numbers from 0 up to 1 (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Characters that mean something to somebody on the way; "!" is left out, which we treat otherwise on purpose. */
const specials = [..."./+@ ^%\"é&-~\\ßΩ*'=()[]{}?#$;:<>|", "&-", "\t", "\x01", "\r\n", "日本"];

/** Addresses of a population's mailboxes, and others near them: parts exchanged, misspelt, in other letters. */
function generate(count: number, seed: number, { mailboxes }: CyrusPopulation, separator: string): string[] {
  const random = randomNumbers(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const own = mailboxes.map(({ name }) => addressOf(name, separator));
  const odd = ["nobody", "+nosuch", "fred+", `fred+${separator}`, "+INBOX", `+user${separator}fred`, "user", ""];
  const domains = ["@bedrock.test", "@granite.test", "@Granite.TEST", "@chert.test", "@nosuch.test", "@", ""];
  const addresses = new Set<string>();
  while (addresses.size < count) {
    const [local, domain] = random() < 0.9 ? pick(own) : [pick(odd), pick(domains)];
    addresses.add(misspell(local) + (random() < 0.7 ? domain : pick(domains)));
  }
  return [...addresses];

  function misspell(local: string): string {
    const at = Math.floor(random() * (local.length + 1));
    const change = random();
    if (change < 0.1) return [...local].map((char) => (random() < 0.5 ? char.toUpperCase() : char)).join("");
    if (change < 0.25) return local.slice(0, at) + pick(specials) + local.slice(at);
    if (change < 0.3) return local.slice(0, at) + local.slice(at + 1);
    return change < 0.4 ? local.split("+")[0] + pick(own)[0].replace(/^[^+]*/, "") : local;
  }
}

/** Local part and domain of the address that stands for a mailbox, by the name that the administrator writes. */
function addressOf(name: string, separator: string): [string, string] {
  const at = name.lastIndexOf("@");
  const [path, domain] = at < 0 ? [name, ""] : [name.slice(0, at), name.slice(at)];
  const levels = path.split(separator).map(decodeModifiedUtf7);
  if (levels[0] !== "user") return [`+${levels.join(separator)}`, domain];
  const [, owner = "", ...folders] = levels;
  return [owner.replaceAll("^", ".") + (folders.length > 0 ? `+${folders.join(separator)}` : ""), domain];
}

function decodeModifiedUtf7(text: string): string {
  return text.replace(/&([^-]*)-/g, (_run, base64: string) => {
    if (base64 === "") return "&";
    const bytes = Buffer.from(base64.replaceAll(",", "/"), "base64");
    return bytes
      .subarray(0, bytes.length & ~1)
      .swap16()
      .toString("utf16le");
  });
}

describe.each([
  ["vd-userid", "/"],
  ["vd-dot", "."],
])("with the mailboxes of %s", (name, separator) => {
  const variant = loadGolden(name);
  let cyrus: Cyrus;
  let daemon: CyrusDaemon;

  beforeAll(async () => {
    cyrus = await Cyrus.start({ imapdConf: variant.imapdConf });
    await populate(cyrus, goldenPopulation(name));
    daemon = await startCyrusDaemon(cyrus, { ...variant.imapdConf, smmap_imap_exact_quota: "yes" });
  });

  afterAll(async () => {
    await daemon?.close();
    await cyrus?.stop();
  });

  it("both say the same of 500 addresses", async () => {
    const addresses = generate(500, 20_240_607, goldenPopulation(name), separator);
    const ours = await SocketmapClient.connect(daemon.path);
    const told: Record<string, [string, string]> = {};
    for (const address of addresses) {
      const key = Buffer.from(address, "utf8").toString("latin1");
      // The original serves a connection at a time and limits its requests.
      const original = await SocketmapClient.connect(cyrus.smmapSocket);
      told[address] = [await ours.ask(key), await original.ask(key)];
      original.close();
    }
    ours.close();
    expect(Object.entries(told).filter(([, [one, other]]) => one !== other)).toEqual([]);
    const words = Object.values(told).map(([reply]) => reply.split(" ", 1)[0]);
    for (const word of ["OK", "NOTFOUND", "TEMP", "PERM"]) expect(words).toContain(word);
    expect(words.filter((word) => word === "OK").length).toBeGreaterThan(50);
    expect(daemon.logged).toEqual([]);
  });
});
