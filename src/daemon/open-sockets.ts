/** Which sockets the daemon listens on, depending on what has launched it. */
import type { ListenSource, Protocol } from "../net/listener.ts";
import type { Server } from "../net/server.ts";
import type { Log } from "../store/store.ts";
import type { Launch } from "./launch/launcher.ts";
import type { Configuration } from "./service.ts";
import { folderProblem, socketRights } from "./socket-permissions.ts";

/** @throws ConfigError where a socket cannot be opened */
export async function openSockets(
  server: Server,
  launch: Launch,
  configuration: Configuration,
  log: Log,
): Promise<void> {
  const { settings, process } = configuration;
  const rights = socketRights(settings.socketMode, process);
  for (const [protocol, sources] of sourcesOf(launch, configuration, log)) {
    await server.listen(sources, rights, protocol);
    const key = protocol === "policy" ? "smmap_policy_listen" : "smmap_listen";
    for (const source of sources) {
      const problem = "path" in source ? folderProblem(source.path, rights) : null;
      if (problem !== null) log.warning(`${key}: ${problem}`);
    }
  }
}

type Sources = readonly (readonly [protocol: Protocol, sources: readonly ListenSource[]])[];

function sourcesOf(launch: Launch, { settings }: Configuration, log: Log): Sources {
  if (launch.by === "primary") return launch.primary.sockets.map((socket) => [socket.protocol, [socket]]);
  const { listen, policyListen } = settings;
  if (launch.by !== "master") {
    return [
      ["socketmap", launch.by === "systemd" ? launch.sockets : listen],
      ["policy", policyListen],
    ];
  }
  // Master starts several processes, and hands over one socket. Only one of them could bind another address.
  if (policyListen.length > 0) {
    log.warning("smmap_policy_listen is ignored under master(8): run a separate smmapd for it");
  }
  return [["socketmap", [{ fd: launch.master.socket, name: `the socket of service ${launch.master.service}` }]]];
}
