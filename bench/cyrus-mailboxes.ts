/** The mailboxes of population.ts in a throw-away Cyrus. */
import { Cyrus } from "../fixtures/servers/cyrus.ts";
import { userAt } from "./population.ts";

/** @param users how many there are, each with a quota */
export async function startCyrus(users: number): Promise<Cyrus> {
  const cyrus = await Cyrus.start();
  try {
    const client = await cyrus.admin();
    for (let index = 0; index < users; index++) {
      const { name } = userAt(index);
      await client.ok(`CREATE "user/${name}"`);
      await client.ok(`SETQUOTA "user/${name}" (STORAGE 1000)`);
    }
    await client.close();
    return cyrus;
  } catch (error) {
    await cyrus.stop();
    throw error;
  }
}
