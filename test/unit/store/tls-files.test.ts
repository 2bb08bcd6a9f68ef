import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readTlsFiles, type TlsFiles } from "../../../src/store/kit/index.ts";
import { StoreError } from "../../../src/store/store.ts";

const none: TlsFiles = { caFile: null, caDirectory: null, certificateFile: null, keyFile: null };
const certificate = (name: string) => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "imap-tls-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const keys = {
  caFile: "tls_server_ca_file",
  caDirectory: "tls_server_ca_dir",
  certificateFile: "tls_client_cert",
  keyFile: "tls_client_key",
};
const loadTls = (files: TlsFiles) => readTlsFiles(files, keys, "imap");

describe("TLS material", () => {
  it("is empty without files, so that Node.js verifies by its own CAs", async () => {
    expect(await loadTls(none)).toEqual({});
  });

  it("is read from the files", async () => {
    const files = { caFile: file("ca", "CA"), certificateFile: file("cert", "C"), keyFile: file("key", "K") };
    expect(await loadTls({ ...none, ...files })).toEqual({ ca: ["CA"], cert: "C", key: "K" });
  });

  it("takes every certificate of a directory and nothing else", async () => {
    const caDirectory = join(directory, "certs");
    mkdirSync(join(caDirectory, "folder"), { recursive: true });
    file("certs/b.pem", certificate("b"));
    file("certs/a.pem", certificate("a"));
    file("certs/README", "no certificate");
    expect(await loadTls({ ...none, caFile: file("ca", "CA"), caDirectory })).toEqual({
      ca: ["CA", certificate("a"), certificate("b")],
    });
  });

  it("does not fall back to the well-known CAs where a directory has no certificate", async () => {
    await expect(loadTls({ ...none, caDirectory: directory })).rejects.toThrow(/tls_server_ca_dir: no certificate in/);
  });

  it.each(["caFile", "caDirectory", "certificateFile", "keyFile"] as const)("fails without the %s", async (key) => {
    const missing = loadTls({ ...none, [key]: join(directory, "missing") });
    await expect(missing).rejects.toBeInstanceOf(StoreError);
    await expect(missing).rejects.toThrow(new RegExp(`^imap: ${keys[key]}: ENOENT.*missing`));
  });
});
