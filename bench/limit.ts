/** The limit of what a Node server can do: it cuts netstrings off and answers each with the same reply. */
import { serve } from "./node-server.ts";

const [path = "", reply = ""] = process.argv.slice(2);
serve(path, () => reply);
