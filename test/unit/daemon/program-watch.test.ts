import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { OwnFile } from "../../../src/daemon/program-watch.ts";

/** Milliseconds; the clock of files and that of the program are not read in the same moment. */
const AT_ONCE = -1000;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "own-file-"));
  path = join(folder, "main.js");
  writeFileSync(path, "one");
  utimesSync(path, 1000, 1000);
});

afterEach(() => rmSync(folder, { recursive: true }));

it("is as it was", () => {
  expect(new OwnFile(path, AT_ONCE).hasChanged()).toBe(false);
});

it.each([
  ["time", () => utimesSync(path, 2000, 2000)],
  [
    "size",
    () => {
      writeFileSync(path, "three");
      utimesSync(path, 1000, 1000);
    },
  ],
  [
    "inode",
    () => {
      writeFileSync(`${path}.new`, "one");
      utimesSync(`${path}.new`, 1000, 1000);
      renameSync(`${path}.new`, path);
    },
  ],
])("has changed: another %s", (_what, change) => {
  const file = new OwnFile(path, AT_ONCE);
  change();
  expect(file.hasChanged()).toBe(true);
});

it("counts only once it has been there for a while, for the rest of the program may be missing", () => {
  const file = new OwnFile(path);
  utimesSync(path, 2000, 2000);
  expect(file.hasChanged()).toBe(false);
});

it("may be gone, and come back", () => {
  const file = new OwnFile(path, AT_ONCE);
  rmSync(path);
  expect(file.hasChanged()).toBe(false);
  writeFileSync(path, "another one");
  expect(file.hasChanged()).toBe(true);
});

it("may never have been there", () => {
  const file = new OwnFile(join(folder, "nothing"), AT_ONCE);
  expect(file.hasChanged()).toBe(false);
});
