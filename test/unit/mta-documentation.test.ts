/** docs/mta.md held to what the tests try, and to the files it speaks of. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { aliasCases, aliasTable } from "../../fixtures/mta-alias-cases.ts";
import { mtaCases, mtaTable } from "../../fixtures/mta-cases.ts";
import { keys } from "../../src/config/keys.ts";

const root = new URL("../..", import.meta.url).pathname;
const page = readFileSync(join(root, "docs/mta.md"), "utf8");

describe("docs/mta.md", () => {
  it("has the table of what real mail servers said", () => {
    expect(page).toContain(`\n\n${mtaTable()}\n`);
  });

  it("has the table of what real mail servers said to aliases", () => {
    expect(page).toContain(`\n\n${aliasTable()}\n`);
    expect(aliasCases.length).toBeGreaterThan(20);
  });

  it("never has a good recipient refused for good", () => {
    const broken = mtaCases.filter(({ fault }) => fault !== undefined);
    expect(broken.flatMap(({ replies }) => Object.values(replies)).filter((reply) => reply.startsWith("5"))).toEqual(
      [],
    );
  });

  it("leads to files that are there, and to all of contrib that is for mail servers", () => {
    const links = [...page.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = ""]) => join(root, "docs", path));
    expect(links.filter((path) => !existsSync(path) && !existsSync(join(root, "contrib/postfix", path)))).toEqual([]);
    for (const folder of ["sendmail", "postfix", "exim"]) {
      for (const file of readdirSync(join(root, "contrib", folder))) expect(page).toContain(file);
    }
    expect(links.map((path) => dirname(path))).toContain(join(root, "contrib/postfix"));
  });

  it("names options that there are", () => {
    const known = new Set(keys.map(({ name }) => name));
    const named = [...page.matchAll(/\bsmmap_[a-z_]*[a-z]\b/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
