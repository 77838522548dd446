// Pages as small pictures beside references: what the outline's words cannot tell, such as colours,
// distances and what lies over what. The page is brought to a form that does not depend on the day's
// figures: a still copy of it stands in its place, in which every figure is "0", every sentence one
// word, every table three rows under its own heads, every list and chart an empty space.
//
// `PICTURES=write npm run browser` writes the references anew after a change that is meant. A
// difference leaves the new picture, the reference and what differs in `target/dashboard`.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import pixelmatch from "pixelmatch";
import { PNG } from "pngjs";
import { SHOTS } from "./product.mjs";

const REFERENCES = new URL("./pictures/", import.meta.url).pathname;
const FONTS = new URL("../node_modules/@fontsource/dejavu-sans/files/", import.meta.url).pathname;
/** How wide a page is kept, and how much of its height is looked at, by the width of the window. */
const KEPT = { 1440: { width: 360, height: 1520 }, 390: { width: 195, height: 1600 } };
/** Of a channel's 256 values so many are kept apart: text's edges do not fill the file. */
const SHADES = 16;
/** From here on two pixels differ, as pixelmatch counts it: 0 to 1. */
const THRESHOLD = 0.08;
/**
 * Share of pixels that may differ. Three runs without a change differed nowhere; another colour of
 * live alone is 0.059 % (`live.mjs` prints it).
 */
const SHARE_MAX = 0.0003;

/** In the page: a still copy instead of the living one. */
async function still() {
  const copy = document.body.cloneNode(true);
  const all = (kinds) => [...copy.querySelectorAll(kinds)];
  const plain = (text) => text.replace(/[-−+]?\d[\d.,:]*/g, "0").replace(/–/g, "0").replace(/\b0 (min|h|d)\b/g, "0 s");
  const isLeaf = (node) => !node.querySelector("button:not(.term), input, select, textarea, label, table, h1, h2, h3, .card, .tile");
  // Notices, counts and what is only there while something happens.
  for (const node of all(".notice:not(.chip), .banner, .count, .u-legend, [role=status], .toasts > *, .tile .sub, .more")) node.remove();
  for (const node of all("main table")) {
    const heads = [...node.querySelectorAll("thead th")];
    const body = node.querySelector("tbody");
    if (heads.length === 0 || !body) continue;
    const row = document.createElement("tr");
    for (const head of heads) {
      const cell = document.createElement("td");
      cell.className = head.className;
      cell.textContent = head.classList.contains("num") ? "0" : "Text";
      row.append(cell);
    }
    body.replaceChildren(row, row.cloneNode(true), row.cloneNode(true));
  }
  // Many lines: three of them stand for all.
  const lines = all("main [data-bot].line");
  lines.slice(3).forEach((line) => line.remove());
  for (const node of all(".line a.strong")) node.textContent = "name";
  // Which orders a bot can be given is its state's; one stands for them.
  for (const node of all("[data-order]")) {
    if (node.previousElementSibling?.matches("[data-order]")) node.hidden = true;
    else [node.textContent, node.className, node.disabled] = ["Order", "", false];
  }
  for (const node of all("[data-order][hidden]")) node.remove();
  for (const node of all("main ul, main ol, main .empty, main .why")) {
    if (node.closest("table")) continue;
    node.replaceChildren();
    Object.assign(node.style, { display: "block", height: "72px", minHeight: "0", padding: "0" });
  }
  // Blocked orders are a line from their second ten minutes on.
  for (const node of all(".under:has(.uplot)")) node.remove();
  // A line is drawn from its second point on; until then a sentence stands there.
  for (const node of all(".uplot")) Object.assign(node.parentElement.style, { height: "72px", minHeight: "0", overflow: "hidden" });
  for (const node of all(".uplot, .tv-lightweight-charts, canvas")) node.style.visibility = "hidden";
  // How many codes or states there are is the day's; one stands for them.
  for (const node of all(".chip + .chip")) node.remove();
  for (const node of all(".chip")) [node.className, node.textContent] = ["chip", "Text"];
  for (const node of all(".book i, .bar > i")) [node.style.width, node.className] = ["50%", ""];
  for (const node of all("main .value")) [node.textContent, node.style.color] = ["0", "inherit"];
  for (const node of all("main p:not(.empty), main dd, main .note, main .hint, main .small, main .muted:not(.empty), main .sub, main .doing, main pre, main .two-lines > .num, .line .num, header.top .text, .line .cut:not(.strong)")) {
    if (isLeaf(node)) node.textContent = "Text";
  }
  const texts = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    node.data = plain(node.data);
  }
  for (const node of all("input")) {
    node.placeholder = plain(node.placeholder);
    node.setAttribute("value", plain(node.getAttribute("value") ?? ""));
  }
  const rules = new CSSStyleSheet();
  rules.replaceSync("* { font-family: Pictures !important } *, *::before, *::after { animation: none !important; transition: none !important } .up, .down, .warn { color: inherit !important }");
  window.__before = { body: document.body, rules, scroll: window.scrollY };
  document.adoptedStyleSheets.push(rules);
  document.body.replaceWith(copy);
  window.scrollTo(0, 0);
  await Promise.allSettled([...document.images].map((image) => image.decode()));
}

function living() {
  const { body, rules, scroll } = window.__before;
  document.body.replaceWith(body);
  document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== rules);
  window.scrollTo(0, scroll);
}

/** Each pixel is the mean of those that it stands for, in few shades. */
function small(bytes, width) {
  const from = PNG.sync.read(bytes);
  const step = from.width / width;
  const to = new PNG({ width, height: Math.floor(from.height / step) });
  for (let y = 0; y < to.height; y++) {
    for (let x = 0; x < width; x++) {
      const sums = [0, 0, 0];
      for (let j = 0; j < step; j++) {
        for (let i = 0; i < step; i++) {
          const at = ((y * step + j) * from.width + x * step + i) * 4;
          for (const c of [0, 1, 2]) sums[c] += from.data[at + c];
        }
      }
      const at = (y * width + x) * 4;
      for (const c of [0, 1, 2]) to.data[at + c] = Math.round((sums[c] / (step * step) / 255) * (SHADES - 1)) * (255 / (SHADES - 1));
      to.data[at + 3] = 255;
    }
  }
  return to;
}

/** Areas of one colour: unfiltered they pack best. */
const packed = (png) => PNG.sync.write(png, { colorType: 2, deflateLevel: 9, deflateStrategy: 0, filterType: 0 });

/** Letters that are everywhere the same: a machine's own fonts make another picture of the same page. */
async function lettered(page) {
  if (await page.evaluate(() => "__lettered" in window)) return;
  for (const weight of ["400", "700"]) {
    const bytes = readFileSync(`${FONTS}dejavu-sans-latin-${weight}-normal.woff2`).toString("base64");
    await page.evaluate(
      async ([weight, bytes]) => document.fonts.add(await new FontFace("Pictures", Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)), { weight }).load()),
      [weight, bytes],
    );
  }
  await page.evaluate(() => (window.__lettered = true));
}

/** The page as a small picture of its standing form. */
async function drawn(page) {
  const window = page.viewportSize();
  const { width, height } = KEPT[window.width];
  await lettered(page);
  // What lies under the pointer looks another way.
  await page.mouse.move(0, 0);
  await page.evaluate(still);
  await page.setViewportSize({ width: window.width, height });
  const bytes = await page.screenshot();
  await page.setViewportSize(window);
  await page.evaluate(living);
  return small(bytes, width);
}

/** The share of pixels in which two differ, and the picture that marks them. */
function beside(old, now) {
  if (old.width !== now.width || old.height !== now.height) return { share: 1, marks: now, where: "its size" };
  const marks = new PNG({ width: now.width, height: now.height });
  const count = pixelmatch(old.data, now.data, marks.data, now.width, now.height, { threshold: THRESHOLD, includeAA: true, diffMask: true });
  return { share: count / (now.width * now.height), marks, where: bounds(marks) };
}

/** The corners of what is marked, in the small picture's pixels: a log has no picture to look at. */
function bounds(marks) {
  const [xs, ys] = [[], []];
  for (let at = 0; at < marks.width * marks.height; at++) {
    if (marks.data[at * 4 + 3] === 0) continue;
    xs.push(at % marks.width);
    ys.push(Math.floor(at / marks.width));
  }
  const range = (all) => `${all.reduce((a, b) => Math.min(a, b))} to ${all.reduce((a, b) => Math.max(a, b))}`;
  return xs.length > 0 ? `x ${range(xs)}, y ${range(ys)} of ${marks.width} x ${marks.height}` : "nowhere";
}

const percent = (share) => `${(share * 100).toFixed(3)} %`;

/** What differs from the reference, in a sentence; nothing where it is as it was. */
export async function differences(page, name) {
  const now = await drawn(page);
  const reference = `${REFERENCES}${name}.png`;
  if (process.env.PICTURES === "write") {
    mkdirSync(REFERENCES, { recursive: true });
    writeFileSync(reference, packed(now));
    return [];
  }
  if (!existsSync(reference)) return [`${name}: has no picture to compare with; PICTURES=write makes it`];
  const old = PNG.sync.read(readFileSync(reference));
  const { share, marks, where } = beside(old, now);
  if (process.env.PICTURES === "measure" && share > 0) console.log(`       ${name}: ${percent(share)} at ${where}`);
  if (share <= SHARE_MAX) return [];
  const files = { "-new": now, "-reference": old, "-difference": marks };
  for (const [what, png] of Object.entries(files)) writeFileSync(`${SHOTS}/${name}${what}.png`, packed(png));
  return [`${name}: ${percent(share)} of its picture differ, at ${where}: ${Object.keys(files).map((what) => `target/dashboard/${name}${what}.png`).join(", ")}; PICTURES=write where that is meant`];
}

/** Would this change of style be seen? The page is as it was afterwards. */
export async function isSeen(page, style) {
  const before = await drawn(page);
  await page.evaluate((text) => {
    window.__change = new CSSStyleSheet();
    window.__change.replaceSync(text);
    document.adoptedStyleSheets.push(window.__change);
  }, style);
  const { share } = beside(before, await drawn(page));
  await page.evaluate(() => (document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== window.__change)));
  console.log(`       ${style}: ${percent(share)} of the picture`);
  return share > SHARE_MAX;
}
