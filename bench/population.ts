/**
 * The mailboxes that every measured server knows, by number, and the requests with the replies they must get. One user
 * in ten has a folder, one in twenty is over quota.
 */
import { writeFile } from "node:fs/promises";

export const DOMAIN = "example.org";
export const FOLDER = "Lists";

export interface User {
  readonly name: string;
  readonly hasFolder: boolean;
  readonly isOverQuota: boolean;
}

export function userAt(index: number): User {
  return {
    name: `user${String(index).padStart(7, "0")}`,
    hasFolder: index % 10 === 3,
    isOverQuota: index % 20 === 7,
  };
}

/** 80 % users, 10 % folders, 5 % over quota, 5 % unknown: in one line of the key file, KEY TAB REPLY. */
function question(users: number, random: () => number): string {
  const index = Math.floor(random() * users);
  const share = random();
  if (share < 0.05) return `nobody${index}@${DOMAIN}\tNOTFOUND Mailbox does not exist`;
  if (share < 0.1) return `${userAt(index - (index % 20) + 7).name}@${DOMAIN}\tTEMP Over quota`;
  // A folder's owner is never over quota: 3 and 7 differ modulo 10.
  if (share < 0.2) return accepted(`${userAt(index - (index % 10) + 3).name}+${FOLDER}@${DOMAIN}`);
  return accepted(`${userAt(index % 20 === 7 ? index - 1 : index).name}@${DOMAIN}`);
}

function accepted(key: string): string {
  return `${key}\tOK ${key}`;
}

/**
 * Writes a key file of the load generator, in an order that is the same at every run.
 * @param users how many the server knows; a multiple of 20
 * @param constant the reply to expect throughout, from a server that looks nothing up
 */
export async function writeQuestions(path: string, users: number, constant?: string): Promise<void> {
  const random = randomNumbers(42);
  const lines = Array.from({ length: 100_000 }, () => question(users, random));
  const wanted = constant === undefined ? lines : lines.map((line) => line.replace(/\t.*/, `\t${constant}`));
  await writeFile(path, `${wanted.join("\n")}\n`);
}

/** Numbers from 0 up to 1, by the generator mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
