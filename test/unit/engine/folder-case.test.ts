import { describe, expect, it } from "vitest";
import { sameButForCase } from "../../../src/engine/folder-case.ts";

const folders = [["Lists"], ["Lists", "Dev"], ["LISTS", "Dev"], ["Straße"], ["Entwürfe"], ["v1.2"], ["İstanbul"]];

describe("paths that differ in case only", () => {
  it.each<[wanted: string[], found: string[][]]>([
    [["lists"], [["Lists"]]],
    [["LISTS"], [["Lists"]]],
    [
      ["lists", "dev"],
      [
        ["Lists", "Dev"],
        ["LISTS", "Dev"],
      ],
    ],
    [["lists", "de"], []],
    [["list"], []],
    [["lists/dev"], []],
    [["lists", "dev", "x"], []],
    // As Postfix folds UTF-8.
    [["strasse"], [["Straße"]]],
    [["entwürfe"], [["Entwürfe"]]],
    [["entwurfe"], []],
    [["V1.2"], [["v1.2"]]],
    [["v1^2"], [["v1.2"]]],
    [[], []],
  ])("%j: %j", (wanted, found) => {
    expect(sameButForCase(wanted, folders)).toEqual(found);
  });

  it("are each returned once", () => {
    expect(sameButForCase(["a"], [["A"], ["A"], ["A"]])).toEqual([["A"]]);
  });
});
