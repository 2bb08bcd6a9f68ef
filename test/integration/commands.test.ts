/** Commands as a shell runs them: with a reader that closes the pipe, and on a system without /proc. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Daemon, DaemonFolder, program } from "../../fixtures/daemon.ts";

let folder: DaemonFolder;
let daemon: Daemon | null = null;

beforeEach(() => {
  folder = new DaemonFolder();
});

afterEach(async () => {
  await daemon?.kill();
  daemon = null;
  folder.remove();
});

interface Ending {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program. @param closed outputs whose reader closes them at once */
async function run(args: readonly string[], closed: readonly ("stdout" | "stderr")[] = []): Promise<Ending> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  for (const name of closed) child[name].destroy();
  const read = (name: "stdout" | "stderr") => (closed.includes(name) ? Promise.resolve("") : text(child[name]));
  const [[status], stdout, stderr] = await Promise.all([once(child, "exit"), read("stdout"), read("stderr")]);
  return { status, stdout, stderr };
}

describe("an output that its reader has closed", () => {
  it.each([
    ["conf", []],
    ["check", ["fred", "nobody"]],
    ["check", ["-v", "--json", "fred"]],
  ])("ends smmapd %s quietly, with the status of an end by SIGPIPE", async (command, words) => {
    const found = await run([command, "-C", folder.configFile, ...words], ["stdout"]);
    expect(found).toEqual({ status: 141, stdout: "", stderr: "" });
  });

  it("ends smmapd status and purge quietly", async () => {
    daemon = await Daemon.start(folder);
    for (const command of ["status", "purge"]) {
      const found = await run([command, "-C", folder.configFile], ["stdout"]);
      expect(found).toEqual({ status: 141, stdout: "", stderr: "" });
    }
  });

  it("ends smmapd --help and --version quietly", async () => {
    for (const option of ["--help", "--version"])
      expect(await run([option], ["stdout"])).toMatchObject({ status: 141 });
  });

  it("quietly ends a command that reports an error", async () => {
    for (const args of [["conf", "-C", folder.at("none")], ["check"], ["nonsense"]]) {
      expect(await run(args, ["stderr"])).toMatchObject({ status: 141, stdout: "" });
    }
  });

  it("does not change the exit status while it is read", async () => {
    const { status, stdout } = await run(["check", "-C", folder.configFile, "fred", "nobody"]);
    expect({ status, stdout }).toEqual({
      status: 1,
      stdout: "fred: OK fred\nnobody: NOTFOUND Mailbox does not exist\n",
    });
  });
});

describe("a daemon without /proc", () => {
  it("shows its status without the memory", async () => {
    // Root makes a namespace of its own for it; others need one of users besides.
    const namespace = process.getuid?.() === 0 ? "-m" : "-rm";
    const by = ["unshare", namespace, "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"];
    daemon = await Daemon.start(folder, { by });
    const { status, stdout, stderr } = await run(["status", "-C", folder.configFile]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^smmapd \S+, service smmap, process \d+, up \d+ s\n/);
    const shown = await run(["status", "-C", folder.configFile, "--json"]);
    expect(JSON.parse(shown.stdout)).toMatchObject([{ memory: null }]);
  });
});
