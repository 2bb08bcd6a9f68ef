/** The manual pages as they are installed, read with man's own formatter. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { libraryPath, unpackedPackages } from "../../fixtures/servers/debian-packages.ts";
import { keys } from "../../src/config/keys.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const { man, files, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly man: readonly string[];
  readonly files: readonly string[];
  readonly bin: Readonly<Record<string, string>>;
};

/** As on a terminal, without its bold and italic; warnings are errors. */
async function formatted(page: string): Promise<string> {
  const groff = await unpackedPackages(["groff-base"]);
  const at = (path: string) => join(groff, "usr", path);
  const env = {
    PATH: `${at("bin")}:/usr/bin:/bin`,
    LD_LIBRARY_PATH: await libraryPath(groff),
    ...(groff === "/"
      ? {}
      : { GROFF_TMAC_PATH: at("share/groff/1.22.4/tmac"), GROFF_FONT_PATH: at("share/groff/1.22.4/font") }),
  };
  const args = ["-k", "-man", "-ww", "-Tutf8", "-P-cbou", join(root, page)];
  const { stdout, stderr } = await run("groff", args, { env });
  expect(stderr).toBe("");
  return stdout;
}

describe("manual pages", () => {
  it("are built, and belong to the package", () => {
    expect(man).toEqual(["dist/man/smmapd.8", "dist/man/smmapd-imapd.conf.5"]);
    for (const page of man) {
      expect(existsSync(join(root, page))).toBe(true);
      expect(files).toContain(dirname(page));
    }
    for (const program of Object.values(bin)) expect(files).toContain(program);
  });

  it("smmapd(8) reads well", async () => {
    const text = await formatted("dist/man/smmapd.8");
    expect(text).toMatch(/^SMMAPD\(8\) +SMMAPD\(8\)\n+NAME\n {7}smmapd - socket map daemon for mailboxes\n/);
    expect(text).toContain(
      '    smmap  cmd="/usr/local/bin/smmapd -C /etc/imapd.conf" listen="/run/cyrus/socket/smmap" prefork=1\n',
    );
    expect(text).toMatch(/\n {7}-T timeout\n {14}The process ends if no client/);
    expect(text).toContain("printf '10:cyrus fred,' | smmapd");
    expect(text).not.toMatch(/[`*]|\\f/);
  });

  it("smmapd-imapd.conf(5) has every option", async () => {
    const text = await formatted("dist/man/smmapd-imapd.conf.5");
    for (const { name } of keys) expect(text).toMatch(new RegExp(`^ {3}${name}$`, "m"));
    expect(text).not.toMatch(/`|\\f/);
  });
});
