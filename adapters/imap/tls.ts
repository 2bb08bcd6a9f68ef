/** Certificates for TLS, read anew for each connection so that renewed files count without a restart. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "../../src/store/store.ts";

/** Paths of PEM files; null: not configured. */
export interface TlsFiles {
  /** CA certificates. With neither this nor the directory, the well-known ones that Node.js brings count. */
  readonly caFile: string | null;
  /** A directory of CA certificates, one or more a file. */
  readonly caDirectory: string | null;
  /** Our own certificate and its key, for servers that ask for one; both or neither. */
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
}

/** Options for node:tls. */
export interface TlsMaterial {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/** Rejects with StoreError where a file cannot be read. The server's certificate is always verified. */
export async function loadTls(files: TlsFiles): Promise<TlsMaterial> {
  const ca: string[] = [];
  if (files.caFile !== null) ca.push(await read("tls_server_ca_file", files.caFile));
  if (files.caDirectory !== null) ca.push(...(await readDirectory(files.caDirectory)));
  return {
    ...(ca.length > 0 ? { ca } : {}),
    ...(files.certificateFile !== null ? { cert: await read("tls_client_cert", files.certificateFile) } : {}),
    ...(files.keyFile !== null ? { key: await read("tls_client_key", files.keyFile) } : {}),
  };
}

async function readDirectory(path: string): Promise<string[]> {
  const names = await readdir(path).catch((cause: unknown) => {
    throw unreadable("tls_server_ca_dir", cause);
  });
  const texts = await Promise.all(names.sort().map((name) => readFile(join(path, name), "utf8").catch(() => "")));
  const certificates = texts.filter((text) => text.includes("-----BEGIN CERTIFICATE-----"));
  // An empty list would be taken for none at all, and the well-known CAs be trusted.
  if (certificates.length === 0)
    throw new StoreError("unavailable", `imap: tls_server_ca_dir: no certificate in ${path}`);
  return certificates;
}

async function read(key: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw unreadable(key, cause);
  }
}

function unreadable(key: string, cause: unknown): StoreError {
  return new StoreError("unavailable", `imap: ${key}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  });
}
