import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ProgramWatch } from "../../../src/daemon/program-watch.ts";

/** Every call checks. The settle time is negative, because file times and Date.now() are read at different moments. */
const AT_ONCE = { settleTime: -1000, checkInterval: 0 };

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "program-"));
  path = join(folder, "main.js");
  writeFileSync(path, "one");
  utimesSync(path, 1000, 1000);
});

afterEach(() => rmSync(folder, { recursive: true }));

it("an unchanged program has not changed", () => {
  expect(new ProgramWatch(path, AT_ONCE).hasChanged()).toBe(false);
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
])("a program with another %s has changed", (_what, change) => {
  const file = new ProgramWatch(path, AT_ONCE);
  change();
  expect(file.hasChanged()).toBe(true);
});

it("a change counts only after the settle time, since the installation may be incomplete", () => {
  const file = new ProgramWatch(path);
  utimesSync(path, 2000, 2000);
  expect(file.hasChanged()).toBe(false);
});

it("a missing program has not changed, until another one takes its place", () => {
  const file = new ProgramWatch(path, AT_ONCE);
  rmSync(path);
  expect(file.hasChanged()).toBe(false);
  writeFileSync(path, "another one");
  expect(file.hasChanged()).toBe(true);
});

it("a program that was missing from the start has not changed", () => {
  const file = new ProgramWatch(join(folder, "nothing"), AT_ONCE);
  expect(file.hasChanged()).toBe(false);
});

it("the file is checked once per interval", () => {
  const file = new ProgramWatch(path, { ...AT_ONCE, checkInterval: 3_600_000 });
  expect(file.hasChanged()).toBe(false);
  utimesSync(path, 2000, 2000);
  expect(file.hasChanged()).toBe(false);
});
