/** Writes the manual pages to dist/man, for npm to install them. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { renderPage } from "./man.ts";

/** From dist/docs. */
const root = new URL("../../", import.meta.url);
const { version } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as { readonly version: string };

/** Cyrus has an imapd.conf(5), too, and whoever uses both wants to read both. */
const pages = [
  { source: "docs/smmapd.8.md", name: "smmapd" },
  { source: "docs/imapd.conf.5.md", name: "smmapd-imapd.conf" },
];

const folder = new URL("dist/man/", root);
mkdirSync(folder, { recursive: true });
for (const { source, name } of pages) {
  const page = renderPage(readFileSync(new URL(source, root), "utf8"), `smmapd ${version}`, name);
  writeFileSync(new URL(`${page.name}.${page.section}`, folder), page.roff);
}
