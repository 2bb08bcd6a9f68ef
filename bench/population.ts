/**
 * The mailboxes that every measured server knows, by number, and the requests with the replies they must get. One user
 * in ten has a folder, one in twenty is over quota.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

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

/**
 * How often each mailbox is asked for. even: all the same. ranked: the most popular one twice as often as the second,
 * three times as often as the third, and so on, as is usual for what people like. known: 100,000 of them again and again,
 * as at a site of that size.
 */
export const keyOrders = ["even", "ranked", "known"] as const;
export type KeyOrder = (typeof keyOrders)[number];

/** Paths of key files. */
export type KeyFiles = Readonly<Record<KeyOrder, string>>;

/** Of a key file: more than are asked in one run, and so few that all are asked in one. */
const QUESTIONS = 1_000_000;
const KNOWN = 100_000;
/** A prime number, to have popular mailboxes lie anywhere. */
const SCATTER = 611_953;

/** 80 % users, 10 % folders, 5 % over quota, 5 % unknown: in one line of the key file, KEY TAB REPLY. */
function question(index: number, share: number): string {
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
 * Writes the key files of a server, the same at every run.
 * @param users how many the server knows; a multiple of 20
 * @param constant the reply to expect throughout, from a server that looks nothing up
 */
export async function writeQuestions(folder: string, users: number, constant?: string): Promise<KeyFiles> {
  const path = (order: KeyOrder) => join(folder, `${order}.keys`);
  const files: KeyFiles = { even: path("even"), ranked: path("ranked"), known: path("known") };
  for (const order of keyOrders) {
    const random = randomNumbers(42);
    const draw = order === "ranked" ? drawByRank(users, random) : () => Math.floor(random() * users);
    const length = order === "known" ? KNOWN : QUESTIONS;
    const lines = Array.from({ length }, () => question(draw(), random()));
    const wanted = constant === undefined ? lines : lines.map((line) => line.replace(/\t.*/, `\t${constant}`));
    await writeFile(files[order], `${wanted.join("\n")}\n`);
  }
  return files;
}

/** Draws mailboxes, each as often as 1 / its rank demands. */
function drawByRank(users: number, random: () => number): () => number {
  const shares = new Float64Array(users);
  let sum = 0;
  for (let rank = 1; rank <= users; rank++) {
    sum += 1 / rank;
    shares[rank - 1] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let low = 0;
    for (let high = users - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if ((shares[middle] ?? sum) < wanted) low = middle + 1;
      else high = middle;
    }
    return (low * SCATTER) % users;
  };
}

/** Writes a key file of so many users who may get mail, each asked for once. */
export async function writeUsers(path: string, count: number): Promise<void> {
  const lines: string[] = [];
  for (let index = 0; lines.length < count; index++) {
    const { name, isOverQuota } = userAt(index);
    if (!isOverQuota) lines.push(accepted(`${name}@${DOMAIN}`));
  }
  await writeFile(path, `${lines.join("\n")}\n`);
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
