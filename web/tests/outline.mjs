// What a page is made of, without its figures: headings, cards with the columns of the grid that they
// take, tiles, table heads, tabs, labels. Pictures of living markets are never the same twice; their
// outline is, so a change of it is one that somebody made. The references stand beside the tests;
// `OUTLINES=write npm run browser` writes them anew after a change that is meant.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const REFERENCES = new URL("./outlines/", import.meta.url).pathname;

function seen() {
  const main = document.querySelector("main");
  const twelfth = (x) => Math.round((x / window.innerWidth) * 12);
  const words = (node) => (node.innerText ?? "").split("\n")[0].replace(/\s+/g, " ").trim();
  const kinds = [
    ["h1", "page"],
    ["section.card", "card"],
    [".tile .name", "tile"],
    ["h3", "part"],
    ["th", "column"],
    ["[role=tab]", "tab"],
    ["label", "field"],
  ];
  const lines = [];
  for (const node of main.querySelectorAll(kinds.map(([kind]) => kind).join())) {
    const box = node.getBoundingClientRect();
    // A chart's legend is there with its points; what holds bots back is there while something does.
    if (box.width < 2 || box.height < 2 || node.closest(".u-legend")) continue;
    const [, kind] = kinds.find(([one]) => node.matches(one));
    const place = kind === "card" ? ` (${twelfth(box.left)} to ${twelfth(box.right)} of 12)` : "";
    const text = kind === "card" ? words(node.querySelector("h1, h2") ?? node) : words(node);
    // Rows of figures have heads of their own; what is no word is one.
    if (kind === "column" && (text === "" || /^[-\d.,]+$/.test(text))) continue;
    if (text === "Why bots are not trading") continue;
    lines.push(`${kind} ${text}${place}`);
  }
  return [...new Set(lines)].join("\n");
}

/** What differs from the reference, in lines; nothing where it is as it was. */
export async function changes(page, name) {
  const found = `${await page.evaluate(seen)}\n`;
  const path = `${REFERENCES}${name}.txt`;
  if (process.env.OUTLINES === "write") {
    mkdirSync(REFERENCES, { recursive: true });
    writeFileSync(path, found);
    return [];
  }
  if (!existsSync(path)) return [`${name}: has no reference; OUTLINES=write makes it`];
  const [old, now] = [readFileSync(path, "utf8").split("\n"), found.split("\n")];
  const gone = old.filter((line) => !now.includes(line)).map((line) => `${name}: gone: ${line}`);
  const come = now.filter((line) => !old.includes(line)).map((line) => `${name}: new: ${line}`);
  return [...gone, ...come];
}
