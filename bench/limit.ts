/** The limit of what a Node server can do: it cuts netstrings off and answers each with the same reply. */
import { createServer } from "node:net";

const [path, reply = ""] = process.argv.slice(2);
const netstring = `${reply.length}:${reply},`;

const server = createServer((socket) => {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    let out = "";
    for (;;) {
      const colon = bytes.indexOf(58, start);
      if (colon < 0) break;
      const end = colon + 1 + Number(bytes.toString("latin1", start, colon));
      if (end >= bytes.length) break;
      out += netstring;
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (out !== "") socket.write(out, "latin1");
  });
});
server.listen({ path, backlog: 4096 });
