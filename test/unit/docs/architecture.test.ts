/** docs/architecture.md and CONTRIBUTING.md name files and folders that exist, and every folder of src. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const architecture = read("docs/architecture.md");
const contributing = read("CONTRIBUTING.md");

/** Paths of folders below `path`, from the root of the repository. */
function folders(path: string): string[] {
  const entries = readdirSync(join(root, path), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.flatMap(({ name }) => [join(path, name), ...folders(join(path, name))]);
}

const top = folders("src").filter((path) => path.split("/").length === 2);
const inner = folders("src").filter((path) => !top.includes(path));

describe("docs/architecture.md", () => {
  const named = [...architecture.matchAll(/`((?:src|adapters)\/[^`]+)`/g)].map(([, path = ""]) => path);

  it("names files that exist", () => {
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("names a file of every folder of src", () => {
    expect(top.length).toBeGreaterThan(8);
    expect([...top, ...inner].filter((folder) => !named.some((path) => path.startsWith(`${folder}/`)))).toEqual([]);
  });

  it("shows every folder of src and every adapter in its drawing", () => {
    const drawing = /```\n([\s\S]*?)```/.exec(architecture)?.[1] ?? "";
    const adapters = folders("adapters");
    expect([...top, ...adapters].filter((folder) => !drawing.includes(folder))).toEqual([]);
    expect(inner.filter((folder) => !drawing.includes(`${folder.split("/").at(-1)}/`))).toEqual([]);
  });

  it("is linked from README.md and CONTRIBUTING.md", () => {
    for (const page of [read("README.md"), contributing]) expect(page).toContain("](docs/architecture.md)");
  });
});

describe("the table of folders in CONTRIBUTING.md", () => {
  const rows = [...contributing.matchAll(/^\| `([^`]+)` +\| (.*?) +\|/gm)].map(([, folder = "", job = ""]) => ({
    folder,
    job,
  }));

  it("has every folder of src, and no others", () => {
    expect(rows.map(({ folder }) => folder).filter((folder) => folder.startsWith("src/"))).toEqual(
      expect.arrayContaining(top),
    );
    expect(rows.filter(({ folder }) => folder.startsWith("src/") && !top.includes(folder))).toEqual([]);
  });

  it("names the folders within a folder of src", () => {
    for (const folder of inner) {
      const [, parent, name] = folder.split("/");
      const row = rows.find((one) => one.folder === `src/${parent}`);
      expect(row?.job, folder).toContain(`\`${name}\``);
    }
  });

  it("has every other folder of code that exists", () => {
    const others = rows
      .map(({ folder }) => folder)
      .filter((folder) => !folder.startsWith("src/") && folder !== "adapters/X");
    expect(others.filter((folder) => !existsSync(join(root, folder)))).toEqual([]);
    expect(others).toEqual(expect.arrayContaining(["adapters/sql", "fixtures"]));
  });
});
