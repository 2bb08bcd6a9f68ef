import { describe, expect, it } from "vitest";
import { findGroup, findUser } from "../../../src/daemon/accounts.ts";
import { chooseIdentity, dropPrivileges } from "../../../src/daemon/privileges.ts";
import type { PrivilegedProcess } from "../../../src/io.ts";

const root = { getuid: () => 0 };
const wish = { user: "mail", group: null, userOrigin: "cyrus_user" };

describe("accounts", () => {
  it("are found by name and by number", () => {
    expect(findUser("root")).toEqual({ name: "root", uid: 0, gid: 0 });
    expect(findUser("0")).toEqual({ name: "root", uid: 0, gid: 0 });
    expect(findGroup("root")).toBe(0);
    expect(findGroup("0")).toBe(0);
  });

  it.each(["nosuchuser", "4000000000", "", "-x", "a b"])("are reported as missing: %j", (name) => {
    expect(findUser(name)).toBeNull();
    expect(findGroup(name)).toBeNull();
  });
});

describe("the identity", () => {
  it("changes only for a process of root's", () => {
    expect(chooseIdentity(wish, { getuid: () => 1000 })).toBeNull();
    expect(chooseIdentity(wish, {})).toBeNull();
  });

  it("is the user, with its primary group or the configured one", () => {
    const user = findUser("mail");
    expect(chooseIdentity(wish, root)).toEqual({ user, gid: user?.gid });
    expect(chooseIdentity({ ...wish, group: "daemon" }, root)).toEqual({ user, gid: findGroup("daemon") });
  });

  it("is root only if smmap_user says so", () => {
    expect(chooseIdentity({ ...wish, user: "root", userOrigin: "smmap_user" }, root)).toBeNull();
    expect(() => chooseIdentity({ ...wish, user: "root" }, root)).toThrow(/^cyrus_user: root is root; .*smmap_user$/);
    expect(() => chooseIdentity({ ...wish, user: "0" }, root)).toThrow(/^cyrus_user: 0 is root/);
  });

  it("must exist", () => {
    expect(() => chooseIdentity({ ...wish, user: "nosuchuser" }, root)).toThrow(
      /^cyrus_user: .*nosuchuser.*smmap_user/,
    );
    expect(() => chooseIdentity({ ...wish, group: "nosuchgroup" }, root)).toThrow("no group nosuchgroup");
  });
});

describe("dropping privileges", () => {
  const identity = { user: { name: "mail", uid: 8, gid: 8 }, gid: 12 };

  /** A process that records the calls. */
  function fake(canComeBack: boolean): PrivilegedProcess & { readonly calls: string[] } {
    const calls: string[] = [];
    return {
      calls,
      initgroups: (user, group) => void calls.push(`initgroups ${user} ${group}`),
      setgid: (group) => void calls.push(`setgid ${group}`),
      setuid: (user) => {
        calls.push(`setuid ${user}`);
        if (user === 0 && !canComeBack) throw new Error("EPERM");
      },
    };
  }

  it("sets the groups first, and then checks that root cannot be regained", () => {
    const host = fake(false);
    dropPrivileges(identity, host);
    expect(host.calls).toEqual(["initgroups mail 12", "setgid 12", "setuid 8", "setuid 0"]);
  });

  it("fails if root could be regained", () => {
    expect(() => dropPrivileges(identity, fake(true))).toThrow("could become root again");
  });
});
