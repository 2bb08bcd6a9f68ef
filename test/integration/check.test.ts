/** `smmapd check`, with the store and with a running daemon. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as NetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conformanceMemoryStore, conformancePopulation } from "../../fixtures/memory-store.ts";
import { createNativePopulation } from "../../fixtures/sqlite-database.ts";
import { startTestServer, type TestServer } from "../../fixtures/test-server.ts";
import { main } from "../../src/commands/main.ts";
import { conformanceRules } from "../../src/conformance/index.ts";

let folder: string;
let configFile: string;
let daemon: TestServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "smmapd-check-"));
  createNativePopulation(join(folder, "mailboxes.db"), conformancePopulation);
  configFile = join(folder, "imapd.conf");
  writeFileSync(
    configFile,
    `configdirectory: ${folder}
smmap_store: sqlite
sql_database: mailboxes.db
virtdomains: userid
defaultdomain: village.example
`,
  );
  daemon = await startTestServer({ store: conformanceMemoryStore(), rules: conformanceRules });
});

afterAll(async () => {
  await daemon.close();
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(args: readonly string[], { stdin = "", terminal = false } = {}): Promise<Outcome> {
  const stdout = new PassThrough();
  const stderr = Object.assign(new PassThrough(), { isTTY: terminal });
  const status = await main(args, { stdin: Readable.from([stdin]), stdout, stderr, env: {} });
  return { status, stdout: String(stdout.read() ?? ""), stderr: String(stderr.read() ?? "") };
}

const check = (...args: readonly string[]) => run(["check", "-C", configFile, ...args]);

describe("replies", () => {
  it("are written one per line, and determine the exit status", async () => {
    expect(await check("anna@village.example", "+Public/Post", "anna+Entwürfe")).toEqual({
      status: 0,
      stdout:
        "anna@village.example: OK anna@village.example\n+Public/Post: OK +Public/Post\nanna+Entwürfe: OK anna+Entwürfe\n",
      stderr: "",
    });
    expect(await check("anna", "nobody")).toMatchObject({
      status: 1,
      stdout: "anna: OK anna\nnobody: NOTFOUND Mailbox does not exist\n",
    });
    expect((await check("+Public/Look")).status).toBe(1);
    expect(await check("nobody", "dora", "anna")).toMatchObject({ status: 75 });
  });

  it("are the same from a running daemon, on a UNIX socket and TCP", async () => {
    const addresses = ["anna", "nobody", "dora", "+Public/Look", "anna+Entwürfe"];
    const { stdout } = await check(...addresses);
    for (const where of [daemon.path, daemon.tcp]) {
      expect(await run(["check", "--socket", where, ...addresses])).toEqual({ status: 75, stdout, stderr: "" });
    }
  });

  it("are written as JSON, one object per line", async () => {
    const { stdout } = await check("--json", "anna", "nobody");
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { address: "anna", status: "OK", reply: "OK anna" },
      { address: "nobody", status: "NOTFOUND", reply: "NOTFOUND Mailbox does not exist" },
    ]);
  });

  it("ignore the detail with -p", async () => {
    expect((await check("-p", "anna+Nowhere")).stdout).toBe("anna+Nowhere: OK anna+Nowhere\n");
  });

  it("contain no control characters", async () => {
    expect((await check("anna\u001b[2J")).stdout).toBe("anna\\x1b[2J: NOTFOUND Mailbox does not exist\n");
  });
});

describe("a list on standard input", () => {
  const list = Array.from({ length: 150 }, (_, i) => (i % 2 === 0 ? "anna" : "nobody"));
  const stdout = list.map((name) => `${name}: ${name === "anna" ? "OK anna" : "NOTFOUND Mailbox does not exist"}\n`);

  it("is answered in its order, without empty lines", async () => {
    const stdin = `${list.join("\r\n\r\n")}\n`;
    expect(await run(["check", "-C", configFile, "-"], { stdin })).toEqual({
      status: 1,
      stdout: stdout.join(""),
      stderr: "",
    });
  });

  it("shows its progress on a terminal, and clears it", async () => {
    const { stderr } = await run(["check", "--socket", daemon.path, "-"], { stdin: list.join("\n"), terminal: true });
    expect(stderr).toContain("\r[#############                 ] 64 of 150");
    expect(stderr).toContain("\r[##############################] 150 of 150");
    expect(stderr.endsWith("\r\x1b[K")).toBe(true);
  });

  it("can be empty", async () => {
    expect(await run(["check", "-C", configFile, "-"])).toEqual({ status: 0, stdout: "", stderr: "" });
  });
});

describe("an access map", () => {
  const access = (...addresses: readonly string[]) => {
    const file = join(folder, "access.conf");
    writeFileSync(file, `${readFileSync(configFile, "utf8")}smmap_access_map: access\n`);
    return run(["check", "-C", file, "-m", "access", ...addresses]);
  };

  it.each([
    ["anna", 0, "OK DUNNO"],
    ['"anna+My Team"@village.example', 0, "OK DUNNO"],
    ["nobody", 1, "OK 550 5.1.1 Mailbox does not exist"],
    ['"no body"', 1, "OK 550 5.1.1 Mailbox does not exist"],
    ["+Public/Look", 1, "OK 550 5.7.1 Posting to this mailbox is not permitted"],
    ["dora", 75, "OK 452 4.2.2 Mailbox is full"],
  ])("replies for %s, with status %d: %s", async (address, status, reply) => {
    expect(await access(address)).toEqual({ status, stdout: `${address}: ${reply}\n`, stderr: "" });
  });
});

describe("-v explains every step", () => {
  async function steps(address: string, ...args: readonly string[]): Promise<string[]> {
    const { stdout } = await check("-v", ...args, address);
    return stdout
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }

  it("of a user's folder within its quota", async () => {
    expect(await steps("BERT+Archive@VILLAGE.example")).toEqual([
      'address   local part "bert", detail "Archive", domain "village.example" (lmtp_downcase_rcpt: yes, lower case except the detail)',
      'domain    the default domain, which is left out; user id "bert"',
      'mailbox   folder "Archive" of user "bert"; internal name user.bert.Archive',
      "store     sqlite: exists, rights are not checked, limited by quota",
      "quota     root bert: STORAGE 8192 of 65536 octets",
      "verdict   accept: the mailbox exists, may be posted to and is within its quota",
    ]);
  });

  it.each([
    ["gustav", "verdict   over-quota: quota root gustav: 3 messages and one more are over the limit of 2"],
    ["dora", "verdict   over-quota: quota root dora: 8192 octets are over the limit of 4096"],
    ["nobody", "verdict   absent: the store says that there is no such mailbox"],
    ["anna@hill.example", 'domain    part of the user id; user id "anna@hill.example"'],
    ["anna", 'domain    none given, so the default domain village.example; user id "anna"'],
    ["+Public/Look", "verdict   denied: the folder may be seen (l) but not posted to (p)"],
    [
      "+Public/Secret",
      "verdict   absent: the folder may be neither seen (l) nor posted to (p), so it counts as absent",
    ],
    ["+Public", 'store     sqlite: exists, rights "lrsp", no quota limit'],
    ["+user/anna", 'mailbox   shared folder "user/anna"; internal name user.anna'],
    ["@village.example", "verdict   absent: no mailbox can have this address: a shared address that names no folder"],
    ["+", "store     sqlite: not asked"],
  ])("of %s", async (address, step) => {
    expect(await steps(address)).toContain(step);
  });

  it("of a folder in whose place another mailbox is used", async () => {
    const lenient = join(folder, "lenient.conf");
    const options = ["smmap_detail_ignore_case", "smmap_plus_fallback"].map((key) => `${key}: yes\n`).join("");
    writeFileSync(lenient, `${readFileSync(configFile, "utf8")}${options}smmap_reply_value: mailbox\n`);
    const found = await run(["check", "-v", "-C", lenient, "anna+LISTS/dev@village.example", "anna+Nope"]);
    expect(found.stdout).toContain("anna+LISTS/dev@village.example: OK user.anna.Lists.Dev\n");
    expect(found.stdout).toContain('instead   folder "Lists/Dev" of user "anna"; internal name user.anna.Lists.Dev');
    expect(found.stdout).toContain("anna+Nope: OK user.anna\n");
    expect(found.stdout).toContain('instead   INBOX of user "anna"; internal name user.anna');
  });

  it("as JSON", async () => {
    const { stdout } = await check("-v", "--json", "dora");
    expect(JSON.parse(stdout)).toMatchObject({
      status: "TEMP",
      recipient: { localpart: "dora", detail: null },
      mailbox: { kind: "user", user: "dora" },
      facts: { exists: true, quotas: [{ used: 8192, limit: 4096 }] },
      failure: null,
      outcome: "over-quota",
    });
  });

  it("of a store that fails", async () => {
    const broken = join(folder, "broken.conf");
    writeFileSync(
      broken,
      `configdirectory: ${folder}\nsmmap_store: sqlite\nsql_database: missing.db\nvirtdomains: off\n`,
    );
    const { status, stdout } = await run(["check", "-v", "-C", broken, "anna@any.example"]);
    expect(status).toBe(75);
    expect(stdout).toContain("anna@any.example: TEMP Mailbox look-up failed, try again later\n");
    expect(stdout).toMatch(/store {5}sqlite: there is no file .*missing\.db.* \[unavailable\]/);
    expect(stdout).toContain("verdict   failed: the look-up failed, so the reply is temporary");
    expect(stdout).toContain('domain    virtdomains is off, so the domain is ignored; user id "anna"');
    writeFileSync(broken, `${readFileSync(broken, "utf8")}smmap_on_failure: ok\n`);
    const accepted = await run(["check", "-v", "-C", broken, "anna"]);
    expect(accepted).toMatchObject({ status: 0, stdout: expect.stringContaining("anna: OK anna\n") });
    expect(accepted.stdout).toContain("verdict   accept: the look-up failed, and smmap_on_failure is ok");
  });

  it("of a store that fails, as JSON", async () => {
    const broken = join(folder, "failing.conf");
    writeFileSync(broken, `configdirectory: ${folder}\nsmmap_store: sqlite\nsql_database: missing.db\n`);
    const { stdout: json } = await run(["check", "-v", "--json", "-C", broken, "anna"]);
    expect(JSON.parse(json)).toMatchObject({ outcome: "failed", facts: null, failure: { code: "unavailable" } });
  });
});

describe("a failure", () => {
  const missing = /smmapd: error: sqlite: there is no file .*missing\.db.* \[unavailable\]\n/;

  async function ask(store: string, ...args: readonly string[]): Promise<Outcome> {
    const faulty = join(folder, "faulty.conf");
    writeFileSync(faulty, `configdirectory: ${folder}\n${store}\n`);
    return run(["check", "-C", faulty, ...args, "anna", "bert", "carl"]);
  }

  it("is reported once, though several layers report it", async () => {
    const { stderr } = await ask("smmap_store: sqlite\nsql_database: missing.db");
    expect(stderr).toMatch(new RegExp(`^${missing.source}$`));
  });

  it("is reported in the answers only, where they show it", async () => {
    for (const args of [["-v"], ["-v", "--json"]]) {
      const { stdout, stderr } = await ask("smmap_store: sqlite\nsql_database: missing.db", ...args);
      expect(stdout).toContain("missing.db");
      expect(stderr).toBe("");
    }
  });

  it("that no answer shows is reported as well", async () => {
    const sockets = ["first", "second"].map((name) => join(folder, name));
    const servers = sockets.map((path) => `ldapi://${encodeURIComponent(path)}`);
    const conf = `ldap_uri: ${servers.join(" ")}\nldap_base: dc=x\nsmmap_ldap_preset: inetlocal`;
    const { stdout, stderr } = await ask(conf, "-v");
    expect(stdout).toContain(`store     ldap: connect ENOENT ${sockets[1]} [unavailable]\n`);
    const errors = stderr.split("\n").filter((line) => line.includes("error:"));
    expect(errors).toEqual([`smmapd: error: ${servers[0]}: ldap: connect ENOENT ${sockets[0]}`]);
  });

  it("that is an internal error of a store is reported with its stack", async () => {
    const module = `export const adapter = {
      name: "mine",
      parse() {},
      open: () => ({
        name: "mine",
        capabilities: { folders: false, shared: false, quota: [] },
        lookup() { throw new TypeError("nothing is as it was") },
        async ping() {},
        async close() {},
      }),
    };`;
    writeFileSync(join(folder, "mine.mjs"), module);
    for (const args of [[], ["-v"]]) {
      const { stderr } = await ask("smmap_store: ./mine.mjs", ...args);
      expect(stderr.match(/nothing is as it was \[internal\]/g)).toHaveLength(1);
      expect(stderr).toContain("mine.mjs:7:");
    }
  });
});

describe("errors", () => {
  it.each([
    [["check"], "check takes addresses"],
    [["check", "-x"], "unknown option -x"],
    [["check", "-v", "--socket", "/x", "anna"], "-v explains answers of the store"],
    [["check", "--socket", "nowhere", "anna"], "--socket takes a path or HOST:PORT, not nowhere"],
    [["nonsense"], "unknown command nonsense"],
    [["-U250"], "unknown option -U250"],
    [["-U", "many"], "option -U takes a number"],
  ])("of the command line %j exit with 64", async (args, problem) => {
    const { status, stderr } = await run(args);
    expect(status).toBe(64);
    expect(stderr).toContain(problem);
    if (args[0] === "check") expect(stderr).toContain("usage: smmapd [-C file]");
  });

  it("of the configuration exit with 78", async () => {
    expect(await run(["check", "-C", join(folder, "none.conf"), "anna"])).toMatchObject({
      status: 78,
      stderr: expect.stringContaining(`can't open configuration file ${folder}/none.conf`),
    });
  });

  it("--help shows the usage", async () => {
    expect(await run(["--help"])).toMatchObject({ status: 0, stdout: expect.stringContaining("usage: smmapd") });
  });

  it("--version shows the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(await run(["--version"])).toEqual({ status: 0, stdout: `smmapd ${version}\n`, stderr: "" });
  });
});

describe("a daemon that cannot be reached", () => {
  it("results in status 75 and a message with its address", async () => {
    const where = join(folder, "nobody-listens");
    expect(await run(["check", "--socket", where, "anna"])).toMatchObject({
      status: 75,
      stderr: expect.stringContaining(`smmapd: ${where}: connect ENOENT`),
    });
  });

  it.each([
    ["hangs up", "", "the daemon closed the connection"],
    ["sends an invalid reply", "hello", "the reply is not a netstring: missing length"],
  ])("or %s: the same", async (_name, answer, problem) => {
    const path = join(folder, `odd-${answer.length}`);
    const odd: NetServer = createServer((socket) => socket.resume().end(answer)).listen(path);
    try {
      expect(await run(["check", "--socket", path, "anna"])).toMatchObject({
        status: 75,
        stdout: "",
        stderr: expect.stringContaining(problem),
      });
    } finally {
      await new Promise((resolve) => odd.close(resolve));
    }
  });
});
