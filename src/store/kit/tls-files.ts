/** Certificates for TLS connections to a backend, read for each connection, so that renewed files need no restart. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "../store.ts";

/** Paths of PEM files; null: not configured. */
export interface TlsFiles {
  /** CA certificates. With neither this nor the directory, Node.js uses its built-in CAs. */
  readonly caFile: string | null;
  /** A directory of CA certificates, one or more per file, such as one of OpenSSL's c_rehash. */
  readonly caDirectory: string | null;
  /** The client's certificate and its key, for servers that request one; both or neither. */
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
}

/** The options that name the files, for error messages. */
export type TlsKeys = Readonly<Record<keyof TlsFiles, string>>;

/** Options for node:tls. */
export interface TlsMaterial {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Reads the files. Rejects with StoreError if one cannot be read.
 * @param store name of the store, for error messages
 */
export async function readTlsFiles(files: TlsFiles, keys: TlsKeys, store: string): Promise<TlsMaterial> {
  const read = async (which: keyof TlsFiles): Promise<string | null> => {
    const path = files[which];
    if (path === null) return null;
    return readFile(path, "utf8").catch((cause: unknown) => {
      throw unreadable(store, keys[which], cause);
    });
  };
  const ca = await read("caFile");
  const directory = files.caDirectory === null ? [] : await readDirectory(files.caDirectory, keys.caDirectory, store);
  const authorities = [...(ca === null ? [] : [ca]), ...directory];
  const cert = await read("certificateFile");
  const key = await read("keyFile");
  return {
    ...(authorities.length > 0 && { ca: authorities }),
    ...(cert !== null && { cert }),
    ...(key !== null && { key }),
  };
}

async function readDirectory(path: string, key: string, store: string): Promise<string[]> {
  const names = await readdir(path).catch((cause: unknown) => {
    throw unreadable(store, key, cause);
  });
  const texts = await Promise.all(names.sort().map((name) => readFile(join(path, name), "utf8").catch(() => "")));
  const certificates = texts.filter((text) => text.includes("-----BEGIN CERTIFICATE-----"));
  // With an empty list, Node.js would trust its built-in CAs.
  if (certificates.length === 0) throw new StoreError("unavailable", `${store}: ${key}: no certificate in ${path}`);
  return certificates;
}

function unreadable(store: string, key: string, cause: unknown): StoreError {
  const problem = cause instanceof Error ? cause.message : String(cause);
  return new StoreError("unavailable", `${store}: ${key}: ${problem}`, { cause });
}
