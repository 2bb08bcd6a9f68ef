/** Arrows run one way: who may import whom. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = new URL("../..", import.meta.url).pathname;

interface Import {
  readonly file: string;
  /** A path from the root for a file of ours; a package or node: module otherwise. */
  readonly target: string;
  readonly isLazy: boolean;
}

function sources(folder: string): string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return entries.filter((name) => name.endsWith(".ts")).map((name) => join(folder, name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;"]*?from\s+"([^"]+)"|(?:^|\n)import\s+"([^"]+)"|\bimport\("([^"]+)"\)/g;
  return [...text.matchAll(pattern)].map(([, from, bare, lazy]) => {
    const written = from ?? bare ?? lazy ?? "";
    const target = written.startsWith(".") ? relative(root, resolve(root, dirname(file), written)) : written;
    return { file, target, isLazy: lazy !== undefined };
  });
}

const src = sources("src");
const adapters = sources("adapters");
const show = ({ file, target }: Import) => `${file} -> ${target}`;

describe("imports", () => {
  it("are found at all", () => {
    expect(src.flatMap(importsOf).length).toBeGreaterThan(30);
  });

  it("of an adapter reach its own folder, what is published for stores, and its client library", () => {
    const published = ["src/store/store.ts", "src/store/kit/index.ts"];
    const libraries: Record<string, readonly string[]> = {
      sqlite: ["better-sqlite3"],
      ldap: ["ldapts", "lru-cache"],
      imap: ["imapflow"],
    };
    const sqlStores = ["sql", "sqlite"];
    const breaches = adapters.flatMap(importsOf).filter(({ file, target }) => {
      const [, name = ""] = file.split("/");
      const isOwn = target.startsWith(`adapters/${name}/`) || published.includes(target);
      if (target.startsWith("adapters/sql/")) return !sqlStores.includes(name);
      return !isOwn && !target.startsWith("node:") && !libraries[name]?.includes(target);
    });
    expect(breaches.map(show)).toEqual([]);
  });

  it("name adapters only in the registry, and load all but their manifests lazily", () => {
    const toAdapters = src.flatMap(importsOf).filter(({ target }) => target.startsWith("adapters/"));
    expect(toAdapters.length).toBeGreaterThan(0);
    const isAllowed = ({ file, target, isLazy }: Import) =>
      file === "src/store/registry.ts" && (isLazy || target.endsWith("/manifest.ts"));
    expect(toAdapters.filter((one) => !isAllowed(one)).map(show)).toEqual([]);
    // A manifest is loaded with the daemon, so it must not load a client library.
    const manifests = adapters.filter((file) => /\/(?:manifest|keys)\.ts$/.test(file)).flatMap(importsOf);
    expect(manifests.length).toBeGreaterThan(3);
    expect(manifests.filter(({ target }) => !/^(?:adapters|src)\//.test(target)).map(show)).toEqual([]);
  });

  it("keep node: modules out of the engine", () => {
    const engine = src.filter((file) => file.startsWith("src/engine/")).flatMap(importsOf);
    expect(engine.filter(({ target }) => target.startsWith("node:")).map(show)).toEqual([]);
  });

  it("run downwards in src, from commands to the engine", () => {
    const allowed: Record<string, readonly string[]> = {
      engine: ["engine"],
      store: ["store", "engine", "adapters"],
      conformance: ["conformance", "store", "engine"],
      config: ["config", "store", "engine"],
      log: ["log", "net/node-internals.ts", "store"],
      metrics: ["metrics", "store", "engine"],
      net: ["net", "metrics", "config", "store", "engine"],
      requests: ["requests", "metrics", "store", "engine"],
      monitor: ["monitor", "requests", "net", "metrics", "config", "store", "engine"],
      daemon: ["daemon", "monitor", "requests", "net", "metrics", "config", "log", "store", "engine", "io.ts"],
      commands: ["commands", "daemon", "monitor", "requests", "metrics", "config", "log", "store", "engine", "io.ts"],
      "io.ts": ["store"],
      "main.ts": ["commands"],
    };
    const breaches = src.flatMap(importsOf).filter(({ file, target }) => {
      if (target.startsWith("adapters/")) return false;
      if (!target.startsWith("src/")) return false;
      const from = file.split("/")[1] ?? "";
      const to = target.slice("src/".length);
      return !allowed[from]?.some((place) => to === place || to.startsWith(`${place}/`));
    });
    expect(breaches.map(show)).toEqual([]);
  });

  it("never lead to a test, and from src only to src", () => {
    const all = [...src, ...adapters, ...sources("fixtures")].flatMap(importsOf);
    expect(all.filter(({ target }) => target.startsWith("test/")).map(show)).toEqual([]);
    expect(
      src
        .flatMap(importsOf)
        .filter(({ target }) => target.startsWith("fixtures/"))
        .map(show),
    ).toEqual([]);
  });

  it("leave the handles of Node.js to node-internals.ts", () => {
    const reaching = [...src, ...adapters].filter((file) => readFileSync(join(root, file), "utf8").includes("_handle"));
    expect(reaching).toEqual(["src/net/node-internals.ts"]);
  });

  it("leave `process` to main.ts and daemon.ts", () => {
    const touching = [...src, ...adapters].filter((file) => {
      const code = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
      return /(?<!-)\bprocess\.|from "node:process"|[=(]\s*process\b/.test(code);
    });
    expect(touching.sort()).toEqual(["src/daemon/daemon.ts", "src/main.ts"]);
  });
});
