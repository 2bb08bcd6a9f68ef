/** How the imap store gets to a real Cyrus, as whom, and what it sees then. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Cyrus, type CyrusOptions, cyrusAdmin } from "../../fixtures/servers/cyrus.ts";
import { populate } from "../../fixtures/servers/cyrus-population.ts";
import { openImapStore } from "../../fixtures/servers/cyrus-store.ts";
import { type Certificate, CertificateAuthority } from "../../fixtures/servers/tls.ts";
import { Lookup } from "../../src/store/lookup.ts";
import type { Log, MailboxFacts, MailboxId, MailboxStore } from "../../src/store/store.ts";

const fred: MailboxId = { kind: "user", user: "fred", domain: null, folders: [], address: "fred", detail: null };
const nobody: MailboxId = { ...fred, user: "nobody" };
const absent: MailboxFacts = { exists: false };
const present: MailboxFacts = { exists: true, rights: null, quotas: [] };
/** What comes of a look-up on a server without any mailbox, which was logged in to. */
const reached = expect.stringMatching(/^denied: imap: 127\.0\.0\.1 lists no mailboxes/);

function shared(...folders: string[]): MailboxId {
  return { kind: "shared", domain: null, folders, address: "", detail: folders.join("/") };
}

const stores: MailboxStore[] = [];
const logged: string[] = [];
const line = (message: string) => void logged.push(message);
const log: Log = { error: line, warning: line, notice: line, info: line, debug: line };

let directory: string;
let authority: CertificateAuthority;
let certificate: Certificate;

/** Facts about mailboxes, or the code and message of a StoreError. */
async function ask(cyrus: Cyrus, conf: Record<string, string>, ...mailboxes: MailboxId[]): Promise<unknown[]> {
  const store = openImapStore(cyrus, conf, log);
  stores.push(store);
  return Promise.all(
    mailboxes.map(async (mailbox) => {
      try {
        return await store.lookup(mailbox, new Lookup());
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return `${code}: ${message}`;
      }
    }),
  );
}

async function withCyrus(options: CyrusOptions, body: (cyrus: Cyrus) => Promise<void>): Promise<void> {
  const cyrus = await Cyrus.start(options);
  try {
    await populate(cyrus, { mailboxes: [{ name: "user/fred" }], quotas: [] });
    await body(cyrus);
  } finally {
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await cyrus.stop();
  }
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "imap-sessions-"));
  authority = await CertificateAuthority.create(directory);
  certificate = await authority.issue("server");
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  logged.length = 0;
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("a connection with TLS", () => {
  let cyrus: Cyrus;
  beforeAll(async () => {
    cyrus = await Cyrus.start({ certificate });
    await populate(cyrus, { mailboxes: [{ name: "user/fred" }], quotas: [] });
  });
  afterAll(() => cyrus?.stop());

  const trusting = () => ({ tls_server_ca_file: authority.caFile });

  it("is made by STARTTLS and from the beginning, to a name and to an address", async () => {
    for (const server of [
      `127.0.0.1:${cyrus.port}/starttls`,
      `localhost:${cyrus.port}/starttls`,
      `127.0.0.1:${cyrus.tlsPort}/tls`,
      `localhost:${cyrus.tlsPort}/tls`,
    ]) {
      expect(await ask(cyrus, { ...trusting(), smmap_imap_server: server }, fred, nobody), server).toEqual([
        present,
        absent,
      ]);
    }
    expect(logged).toEqual([]);
  });

  it("trusts a directory of certificates", async () => {
    const folder = join(directory, "certs");
    mkdirSync(folder);
    copyFileSync(authority.caFile, join(folder, "ours.pem"));
    const conf = { tls_server_ca_dir: folder, smmap_imap_server: `127.0.0.1:${cyrus.tlsPort}/tls` };
    expect(await ask(cyrus, conf, nobody)).toEqual([absent]);
  });

  it("trusts nobody that it was not told to", async () => {
    for (const server of [`127.0.0.1:${cyrus.port}/starttls`, `127.0.0.1:${cyrus.tlsPort}/tls`]) {
      expect(await ask(cyrus, { smmap_imap_server: server }, nobody)).toEqual([
        expect.stringMatching(/^unavailable: imap: .*(self-signed|unable to verify)/),
      ]);
    }
  });

  it("is not taken for one without, nor the other way round", async () => {
    const clear = { ...trusting(), smmap_imap_server: `127.0.0.1:${cyrus.port}/tls` };
    expect(await ask(cyrus, clear, nobody)).toEqual([expect.stringMatching(/^unavailable: imap: /)]);
    const tls = { smmap_imap_server: `127.0.0.1:${cyrus.tlsPort}/plain`, client_timeout: "1s" };
    expect(await ask(cyrus, tls, nobody)).toEqual([expect.stringMatching(/^unavailable: imap: .*(not connected|TLS)/)]);
  });

  it("is missed where the server wants it", async () => {
    const strict = await Cyrus.start({ certificate, imapdConf: { allowplaintext: "no" } });
    try {
      expect(await ask(strict, {}, nobody)).toEqual([expect.stringMatching(/^denied: .*in clear text.*\/starttls/)]);
      const secured = { ...trusting(), smmap_imap_server: `127.0.0.1:${strict.port}/starttls` };
      expect(await ask(strict, secured, nobody)).toEqual([reached]);
    } finally {
      await strict.stop();
    }
  });
});

describe("a certificate", () => {
  it("that has expired is refused", async () => {
    const expired = await authority.issue("expired", { days: -1 });
    await withTlsServer(expired, async (server) => {
      expect(await server({ tls_server_ca_file: authority.caFile })).toMatch(/^unavailable: imap: .*expired/);
    });
  });

  it("of another host is refused", async () => {
    const other = await authority.issue("other", { hosts: ["elsewhere.test"], addresses: [] });
    await withTlsServer(other, async (server) => {
      expect(await server({ tls_server_ca_file: authority.caFile })).toMatch(/^unavailable: imap: .*altnames/);
    });
  });

  it("of our own is shown to a server that asks for one", async () => {
    const ours = await authority.issue("client", { hosts: [], addresses: [] });
    const imapdConf = { tls_client_ca_file: authority.caFile, tls_client_certs: "require", tls_versions: "tls1_2" };
    const trust = { tls_server_ca_file: authority.caFile };
    await withTlsServer(
      certificate,
      async (server) => {
        const own = { tls_client_cert: ours.certificateFile, tls_client_key: ours.keyFile };
        expect(await server({ ...trust, ...own })).toEqual(reached);
        expect(await server(trust)).toMatch(/^unavailable: imap: /);
      },
      imapdConf,
    );
  });

  async function withTlsServer(
    issued: Certificate,
    body: (find: (conf: Record<string, string>) => Promise<unknown>) => Promise<void>,
    imapdConf: Record<string, string> = {},
  ): Promise<void> {
    const cyrus = await Cyrus.start({ certificate: issued, imapdConf });
    try {
      const server = `127.0.0.1:${cyrus.tlsPort}/tls`;
      await body(
        async (conf) => (await ask(cyrus, { ...conf, smmap_imap_server: server, client_timeout: "5s" }, nobody))[0],
      );
    } finally {
      await cyrus.stop();
    }
  }
});

describe("an account", () => {
  let cyrus: Cyrus;
  const acls: Record<string, Record<string, string>> = {
    post: { anyone: "lrsp" },
    look: { anyone: "lrs" },
    only: { anyone: "p" },
    anonymous: { anyone: "lrs", anonymous: "p" },
    taken: { anyone: "lrsp", "-anonymous": "p" },
    person: { anyone: "l", postman: "lrsp" },
    admins: { anyone: "lrs", admin: "lrswip" },
    none: { admin: "a" },
  };
  beforeAll(async () => {
    const users = { postman: "pw", deputy: "pw" };
    cyrus = await Cyrus.start({ users, imapdConf: { proxyservers: "deputy" } });
    const mailboxes = Object.entries(acls).map(([name, acl]) => ({ name: `news/${name}`, acl }));
    await populate(cyrus, { mailboxes: [{ name: "user/fred" }, { name: "news" }, ...mailboxes], quotas: [] });
  });
  afterAll(() => cyrus?.stop());

  /** The rights on each folder, null where it is absent. */
  async function rights(conf: Record<string, string>): Promise<Record<string, string | null>> {
    const names = Object.keys(acls);
    const facts = await ask(cyrus, conf, ...names.map((name) => shared("news", name)));
    return Object.fromEntries(
      names.map((name, i) => {
        const found = facts[i] as MailboxFacts | string;
        if (typeof found === "string") return [name, found];
        return [name, found.exists ? found.rights : null];
      }),
    );
  }

  it("of an administrator finds what anybody may do", async () => {
    expect(await rights({})).toEqual({
      post: "lrsp",
      look: "lrs",
      only: "p",
      anonymous: "lrsp",
      taken: "lrs",
      person: "l",
      admins: "lrs",
      none: "",
    });
    expect(await ask(cyrus, {}, fred, nobody)).toEqual([present, absent]);
  });

  it("of an administrator finds what it may do itself, where that is wanted", async () => {
    const found = await rights({ smmap_imap_post_identity: "login" });
    expect([...(found.admins ?? "")]).toEqual(expect.arrayContaining([..."lrswip"]));
    expect(found.anonymous).not.toContain("p");
    expect(await ask(cyrus, { smmap_imap_post_identity: "login" }, fred, nobody)).toEqual([present, absent]);
  });

  it("of nobody in particular is refused, because it would find everybody absent", async () => {
    const ordinary = { proxy_authname: "postman", proxy_password: "pw" };
    const refused = expect.stringMatching(/^denied: imap: the account is not an administrator of the server/);
    expect(await ask(cyrus, ordinary, fred, nobody, shared("news", "post"))).toEqual([refused, refused, refused]);
    expect(logged.filter((each) => each.includes("not an administrator")).length).toBe(1);
    const deputy = { proxy_authname: "deputy", proxy_password: "pw" };
    expect(await ask(cyrus, deputy, fred)).toEqual([refused]);
  });

  it("of nobody in particular finds shared folders, where its own rights are wanted", async () => {
    const ordinary = { proxy_authname: "postman", proxy_password: "pw", smmap_imap_post_identity: "login" };
    expect(await rights(ordinary)).toEqual({
      post: "lrsp",
      look: "lrs",
      // Cyrus hides what may only be posted to.
      only: null,
      anonymous: "lrs",
      taken: "lrsp",
      person: "lrsp",
      admins: "lrs",
      none: null,
    });
    expect(await ask(cyrus, ordinary, fred)).toEqual([expect.stringMatching(/^denied: .*cannot see users' mailboxes/)]);
  });

  it("can act as somebody else", async () => {
    const acting = { smmap_imap_userid: "anonymous", smmap_imap_post_identity: "login" };
    expect(await rights(acting)).toMatchObject({
      post: "lrsp",
      look: "lrs",
      anonymous: "lrsp",
      taken: "lrs",
      person: "l",
    });
    const deputy = { proxy_authname: "deputy", proxy_password: "pw", smmap_imap_userid: "postman" };
    expect((await rights({ ...deputy, smmap_imap_post_identity: "login" })).person).toBe("lrsp");
    expect(await ask(cyrus, { smmap_imap_userid: "anonymous" }, fred)).toEqual([
      expect.stringMatching(/^denied: imap: the account is not an administrator/),
    ]);
  });

  it("can be an administrator on one port alone", async () => {
    const strict = await Cyrus.start({
      certificate,
      users: { smmap: "pw" },
      imapdConf: { imap_admins: `${cyrusAdmin.name} smmap` },
    });
    try {
      await populate(strict, { mailboxes: [{ name: "user/fred" }], quotas: [] });
      const login = { proxy_authname: "smmap", proxy_password: "pw", tls_server_ca_file: authority.caFile };
      expect(await ask(strict, login, fred, nobody)).toEqual([present, absent]);
      const other = { ...login, smmap_imap_server: `127.0.0.1:${strict.tlsPort}/tls` };
      expect(await ask(strict, other, fred)).toEqual([expect.stringMatching(/^denied: .*not an administrator/)]);
    } finally {
      await strict.stop();
    }
  });

  it("with a wrong password, or unknown, finds nothing out", async () => {
    const wrong = await ask(cyrus, { proxy_password: "wrong" }, fred, nobody);
    for (const said of wrong) expect(said).toMatch(/^denied: imap: login of admin refused.*authentication failure/);
    const unknown = await ask(cyrus, { proxy_authname: "stranger", proxy_password: "secret!" }, fred);
    expect(unknown).toEqual([expect.stringMatching(/^denied: imap: login of stranger refused/)]);
    expect(logged.join()).not.toContain("secret!");
  });
});

describe("the server's limits and names", () => {
  it("let a pool be smaller than was wanted", async () => {
    await withCyrus({ imapdConf: { maxlogins_per_user: "1" } }, async (cyrus) => {
      const many = Array.from({ length: 50 }, () => fred);
      expect(await ask(cyrus, { smmap_pool_size: "4" }, ...many)).toEqual(many.map(() => present));
      await vi.waitFor(() => expect(logged.join()).toContain("Too many open connections"), 10_000);
    });
  });

  it("are the server's own where they differ from our configuration's", async () => {
    const cyrus = await Cyrus.start({ imapdConf: { unixhierarchysep: "no" } });
    try {
      await populate(cyrus, { mailboxes: [{ name: "user.f^red" }, { name: "user.f^red.v1^2" }], quotas: [] });
      const dotted = { ...fred, user: "f.red" };
      const facts = await ask(cyrus, {}, dotted, { ...dotted, folders: ["v1.2"] }, { ...dotted, folders: ["v1", "2"] });
      expect(facts).toEqual([present, present, absent]);
      expect(logged).toEqual([expect.stringMatching(/hierarchy separator is "\."/)]);
    } finally {
      await cyrus.stop();
    }
  });

  it("do not let a name reach anything else", async () => {
    await withCyrus({ imapdConf: { virtdomains: "userid", defaultdomain: "home.test" } }, async (cyrus) => {
      const mailboxes = [
        "INBOX",
        "INBOX/Sub",
        "user/fred/Detail",
        "hill!fred",
        "user/hill!fred",
        "user/mary@hill.test",
      ];
      await populate(cyrus, { mailboxes: mailboxes.map((name) => ({ name, acl: { anyone: "lrsp" } })), quotas: [] });
      const conf = { virtdomains: "userid", defaultdomain: "home.test" };
      const asked: MailboxId[] = [
        shared("INBOX"),
        shared("inbox", "Sub"),
        { ...fred, user: "fred/Detail" },
        { ...fred, user: "hill!fred" },
        shared("hill!fred"),
        { ...fred, user: "mary@hill.test" },
        { ...fred, user: "*" },
        { ...fred, user: "fre%" },
        { ...fred, user: 'fr"ed' },
        { ...fred, user: "fred\r\nx LOGOUT" },
        { ...fred, user: "fr\0ed" },
        { ...fred, user: "frèd" },
        { ...fred, user: "a".repeat(10_000) },
        { ...fred, folders: ["x".repeat(10_000)] },
        { ...fred, domain: "HILL.TEST" },
      ];
      expect(await ask(cyrus, conf, ...asked)).toEqual(asked.map(() => absent));
      expect(await ask(cyrus, conf, fred, { ...fred, user: "mary", domain: "hill.test" })).toEqual([present, present]);
      expect(logged).toEqual([]);
    });
  });
});
