import { describe, expect, it } from "vitest";
import type { Response, Value } from "../../../adapters/imap/commands.ts";
import {
  hierarchySeparator,
  metadataValues,
  ownRights,
  quotaRoots,
  quotaUsage,
  rightsInAcl,
  sharedNamespace,
} from "../../../adapters/imap/responses.ts";
import { StoreError } from "../../../src/store/store.ts";

function response(name: string, ...values: Value[]): Response {
  return { name, values };
}

function invalid(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === "invalid-data" && message.test(error.message);
}

function failing(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("it did not throw");
}

describe("quota roots", () => {
  it("are none, one or several", () => {
    expect(quotaRoots([response("QUOTAROOT", "user/a")], "user/a")).toEqual([]);
    expect(quotaRoots([response("QUOTAROOT", "user/a", "user/a")], "user/a")).toEqual(["user/a"]);
    expect(quotaRoots([response("QUOTAROOT", "user/a", "", "x")], "user/a")).toEqual(["", "x"]);
    expect(quotaRoots([response("QUOTAROOT", "user/a", null)], "user/a")).toEqual(["NIL"]);
  });

  it.each<[string, readonly Response[]]>([
    ["no response", []],
    ["only another one", [response("QUOTA", "user/a", [])]],
    ["two", [response("QUOTAROOT", "user/a"), response("QUOTAROOT", "user/a")]],
    ["another mailbox", [response("QUOTAROOT", "user/b", "user/b")]],
    ["nothing in it", [response("QUOTAROOT")]],
    ["a list for a root", [response("QUOTAROOT", "user/a", ["x"])]],
  ])("are not guessed from %s", (_what, responses) => {
    expect(failing(() => quotaRoots(responses, "user/a"))).toSatisfy(invalid(/QUOTAROOT/));
  });
});

describe("quota usage", () => {
  it("is in octets and messages, and leaves out what it does not know", () => {
    const list = ["STORAGE", "2", "3", "X-NUM-FOLDERS", "3", "50", "message", "4", "5", "ANNOTATION-STORAGE", "?", "?"];
    expect(quotaUsage([response("QUOTA", "r", list)], ["r"])).toEqual([
      { root: "r", resource: "STORAGE", used: 2048, limit: 3072 },
      { root: "r", resource: "MESSAGE", used: 4, limit: 5 },
    ]);
  });

  it("comes in any number of responses, and only of the roots that count", () => {
    const responses = [
      response("QUOTA", "a", ["STORAGE", "0", "0"]),
      response("QUOTA", "b", []),
      response("QUOTA", "other", ["MESSAGE", "9", "1"]),
      response("QUOTA", "a", ["MESSAGE", "1", "2"]),
    ];
    expect(quotaUsage(responses, ["a", "b"])).toEqual([
      { root: "a", resource: "STORAGE", used: 0, limit: 0 },
      { root: "a", resource: "MESSAGE", used: 1, limit: 2 },
    ]);
    expect(quotaUsage(responses, [])).toEqual([]);
  });

  it("of a domain stands under NIL", () => {
    const responses = [response("QUOTA", null, ["MESSAGE", "0", "0"])];
    expect(quotaUsage(responses, ["NIL"])).toEqual([{ root: "NIL", resource: "MESSAGE", used: 0, limit: 0 }]);
  });

  it("may have a limit beyond all numbers", () => {
    const responses = [response("QUOTA", "r", ["STORAGE", "1", "18446744073709551615"])];
    expect(quotaUsage(responses, ["r"])[0]?.limit).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each<[string, readonly Value[]]>([
    ["no list", ["r"]],
    ["NIL", ["r", null]],
    ["text", ["r", "STORAGE"]],
    ["a list not in threes", ["r", ["STORAGE", "1"]]],
    ["a negative number", ["r", ["STORAGE", "-1", "2"]]],
    ["a broken number", ["r", ["STORAGE", "1", "2k"]]],
    ["no number", ["r", ["MESSAGE", "", "2"]]],
    ["NIL for a number", ["r", ["MESSAGE", "1", null]]],
    ["a list for a resource", ["r", [["MESSAGE"], "1", "2"]]],
    ["a usage beyond 2^53 octets", ["r", ["STORAGE", "9007199254740992", "2"]]],
    ["another root", ["s", ["STORAGE", "1", "2"]]],
  ])("is not guessed from %s", (_what, values) => {
    expect(failing(() => quotaUsage([response("QUOTA", ...values)], ["r"]))).toSatisfy(invalid(/QUOTA/));
  });
});

describe("rights of the poster", () => {
  it.each<[readonly string[], string]>([
    [[], ""],
    [["anyone", "lrsp"], "lrsp"],
    [["anonymous", "p"], "p"],
    [["anyone", "lr", "anonymous", "lp"], "lrp"],
    [["anyone", "lrsp", "-anonymous", "p"], "lrs"],
    [["-anyone", "lp", "anyone", "lrsp"], "rs"],
    [["fred", "lrsp", "group:mail", "p", "-fred", "l"], ""],
    [["anyone", ""], ""],
  ])("%j: %j", (acl, rights) => {
    expect(rightsInAcl([response("ACL", "x", ...acl)], "x")).toBe(rights);
  });

  it.each<[string, readonly Response[]]>([
    ["no response", []],
    ["an identifier alone", [response("ACL", "x", "anyone")]],
    ["NIL", [response("ACL", "x", "anyone", null)]],
    ["another mailbox", [response("ACL", "y", "anyone", "p")]],
  ])("are not guessed from %s", (_what, responses) => {
    expect(failing(() => rightsInAcl(responses, "x"))).toSatisfy(invalid(/ACL/));
  });
});

describe("the login's own rights", () => {
  it("are those of the response", () => {
    expect(ownRights([response("MYRIGHTS", "x", "lrp")], "x")).toBe("lrp");
  });

  it.each<[string, readonly Response[]]>([
    ["no response", []],
    ["no rights", [response("MYRIGHTS", "x")]],
    ["more than that", [response("MYRIGHTS", "x", "lr", "p")]],
  ])("are not guessed from %s", (_what, responses) => {
    expect(failing(() => ownRights(responses, "x"))).toSatisfy(invalid(/MYRIGHTS/));
  });
});

describe("names", () => {
  it("have the separator that LIST shows", () => {
    expect(hierarchySeparator([response("LIST", ["\\Noselect"], ".", "")])).toBe(".");
    expect(hierarchySeparator([response("LIST", ["\\Noselect"], "/", "")])).toBe("/");
  });

  it.each<[string, readonly Response[]]>([
    ["no response", []],
    ["NIL", [response("LIST", [], null, "")]],
    ["another character", [response("LIST", [], "\\", "")]],
  ])("do not have a separator with %s", (_what, responses) => {
    expect(failing(() => hierarchySeparator(responses))).toSatisfy(invalid(/LIST/));
  });

  it("of shared folders begin as NAMESPACE says", () => {
    const shared = [[["", "/"]], [["Other Users/", "/"]], [["Shared Folders/", "/"]]];
    expect(sharedNamespace([response("NAMESPACE", ...shared)])).toBe("Shared Folders/");
    expect(sharedNamespace([response("NAMESPACE", null, null, [["", "."]])])).toBe("");
    expect(sharedNamespace([response("NAMESPACE", [["", "/"]], null, null)])).toBeNull();
  });

  it.each<[string, readonly Response[]]>([
    ["no response", []],
    ["two lists", [response("NAMESPACE", null, null)]],
    ["an empty list", [response("NAMESPACE", null, null, [])]],
    ["no prefix", [response("NAMESPACE", null, null, [[null, "/"]])]],
  ])("of shared folders are not guessed from %s", (_what, responses) => {
    expect(failing(() => sharedNamespace(responses))).toSatisfy(invalid(/NAMESPACE/));
  });
});

describe("metadata", () => {
  it("is a value for each mailbox that has one", () => {
    const responses = [response("METADATA", "a", ["/size", "12"]), response("METADATA", "b", ["/size", null])];
    expect([...metadataValues(responses, "/size")]).toEqual([["a", "12"]]);
  });

  it("is not taken from another entry", () => {
    expect(failing(() => metadataValues([response("METADATA", "a", ["/other", "1"])], "/size"))).toSatisfy(
      invalid(/METADATA/),
    );
  });
});
