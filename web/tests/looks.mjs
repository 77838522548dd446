// Every page, wide and narrow, light and dark, full and empty: axe finds nothing, nothing runs over
// the edge, nothing errs; the pictures are kept to be looked at.

import assert from "node:assert/strict";
import { NAME, PASSWORD } from "./first.mjs";
import { changes } from "./outline.mjs";
import { differences } from "./picture.mjs";
import { SHOTS, axe, page as open, until, PATIENCE_MS } from "./product.mjs";

/** What a page reads comes within this, on a machine that does other things, too. */
const OUTLINE_MS = 20_000;

const PAGES = [
  ["overview", "/"],
  ["bots", "/bots"],
  ["bot", "/bots/1"],
  ["create", "/bots/new"],
  ["compare", "/bots/compare?ids=1,2,3"],
  ["trades", "/trades"],
  ["markets", "/markets"],
  ["market", "/markets/binance/BTC-USDT"],
  ["limits", "/limits"],
  ["autopilot", "/autopilot"],
  ["research", "/research"],
  ["money", "/money"],
  ["alerts", "/alerts"],
  ["system", "/system"],
  ["events", "/system?tab=events"],
  ["gate", "/bots/1?tab=gate"],
  ["keys", "/system?tab=keys"],
  ["notices", "/system?tab=notices"],
  ["backups", "/system?tab=backups"],
  ["you", "/system?tab=you"],
  ["people", "/system?tab=people"],
  ["start", "/start"],
  ["stop", "/stop"],
];
const SHAPES = [
  [1440, 900, "light"],
  [1440, 900, "dark"],
  [390, 844, "light"],
  [390, 844, "dark"],
];

async function signedIn(chrome, url, [width, height, colorScheme], name = NAME, password = PASSWORD) {
  const context = await chrome.newContext({ viewport: { width, height }, colorScheme });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await open(context, url);
  await page.goto(url);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByTestId("link").waitFor();
  return page;
}

/** A report of each kind, where an earlier test made one. */
async function studiesOf(product) {
  const kinds = ["backtests", "sweeps"];
  const found = await Promise.all(kinds.map(async (kind) => [kind, (await product.api(`/api/${kind}`)).items.find((s) => s.state === "done")]));
  return found.filter(([, study]) => study).map(([kind, study]) => [kind, `/research/${kind}/${study.id}`]);
}

/** Nothing on the page says any more that it is being read. */
async function settled(page) {
  await page.locator("main h1").first().waitFor();
  await until(
    "the figures",
    () => page.evaluate(() => !/Reading …|Looking …|Reckoning …|Subscribing …/.test(document.querySelector("main").innerText)),
    15_000,
  ).catch(() => {});
  await page.evaluate(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next))));
  // A button that just changed its colour is between two of them: no theme's.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.finished)));
}

async function faults(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  return page.evaluate(async () => {
    const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
    const { violations } = await window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
    return violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
  });
}

/** By how much the page can be pushed aside. */
const beyond = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

async function look(page, url, path, name, isAxe) {
  await page.goto(`${url}/#${path}`);
  await settled(page);
  // Structure is the width's: the themes share one reference. The page before may still be there.
  let changed = [];
  if (name.endsWith("-light")) {
    const same = async () => (changed = await changes(page, name)).length === 0;
    await until(`${name} as it was`, same, OUTLINE_MS).catch(() => {});
    await settled(page);
  }
  await page.screenshot({ path: `${SHOTS}/${name}.png` });
  // Colours of the dark theme are judged where most of them are.
  if (name.endsWith("-light") || /^overview-\d+-dark$/.test(name)) changed.push(...(await differences(page, name)));
  const over = await beyond(page);
  const found = isAxe ? await faults(page) : [];
  found.push(...changed);
  if (over > 0) found.push(`runs over the edge by ${over} px`);
  return found.map((fault) => (fault.startsWith(name) ? fault : `${name}: ${fault}`));
}

export const looks = [
  ...SHAPES.map((shape) => [
    `every_page_is_whole_at_${shape[0]}_${shape[2]}`,
    async ({ product, chrome }) => {
      const page = await signedIn(chrome, product.url, shape);
      const found = [];
      // Structure is the width's, colours are the theme's: each is judged once.
      const isJudged = shape === SHAPES[0] || shape === SHAPES[3];
      const studies = await studiesOf(product);
      for (const [name, path] of [...PAGES, ...studies]) found.push(...(await look(page, product.url, path, `${name}-${shape[0]}-${shape[2]}`, isJudged)));
      assert.deepEqual(found, []);
      assert.deepEqual(page.wrongs, []);
    },
  ]),
  [
    "an_account_without_anything_is_told_what_to_do",
    async ({ product, chrome }) => {
      const account = await product.api("/api/accounts", { method: "POST", body: { name: "empty" } });
      const person = { name: "emil", password: "nothing here yet", role: "trader", account_id: account.id };
      await product.api("/api/users", { method: "POST", body: person });
      for (const shape of [SHAPES[0], SHAPES[3]]) {
        const page = await signedIn(chrome, product.url, shape, person.name, person.password);
        const found = [];
        for (const [name, path] of PAGES.filter(([n]) => ["overview", "bots", "trades", "money", "limits", "autopilot", "alerts"].includes(n))) {
          found.push(...(await look(page, product.url, path, `${name}-${shape[0]}-${shape[2]}-empty`, true)));
        }
        assert.deepEqual(found, []);
        assert.deepEqual(page.wrongs, []);
      }
    },
  ],
  [
    "a_gate_of_large_and_unknown_figures_stays_within_a_telephone",
    async ({ product, chrome }) => {
      const page = await signedIn(chrome, product.url, SHAPES[3]);
      await page.route("**/api/bots/*/live-gate", async (route) => {
        const gate = await (await route.fetch()).json();
        gate.conditions.forEach((c, i) => Object.assign(c, { pass: false, figure: i % 2 ? "-123456789012.12345678" : null }));
        await route.fulfill({ json: gate });
      });
      await page.goto(`${product.url}/#/bots/1?tab=gate`);
      await settled(page);
      assert.equal(await beyond(page), 0);
      assert.ok(await page.getByRole("group", { name: "Conditions" }).evaluate((table) => table.scrollWidth > table.clientWidth));
    },
  ],
  [
    "four_tabs_are_at_hand_on_a_telephone",
    async ({ product, chrome }) => {
      const page = await signedIn(chrome, product.url, SHAPES[2]);
      const tabs = page.getByRole("navigation", { name: "Main" }).getByRole("link");
      assert.deepEqual((await tabs.allInnerTexts()).map((t) => t.replace(/\d+\+?$/, "").trim()), ["Overview", "Bots", "Alerts", "STOP"]);
      await tabs.nth(3).click();
      await page.getByTestId("stop-large").waitFor();
      await page.getByRole("button", { name: "Menu" }).click();
      await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Trades" }).click();
      await page.getByRole("heading", { name: "Trades", level: 1 }).waitFor();
    },
  ],
  [
    "ten_thousand_bots_are_one_list_that_scrolls",
    async ({ product, chrome }) => {
      const page = await signedIn(chrome, product.url, SHAPES[0]);
      const [model] = (await product.api("/api/bots?limit=1")).items;
      const all = Array.from({ length: 10_000 }, (_, i) => ({ ...model, id: i + 1, name: `bot-${String(i + 1).padStart(5, "0")}` }));
      await page.route("**/api/bots?*", (route) => {
        const values = new URL(route.request().url()).searchParams;
        const ids = values.get("ids")?.split(",").map(Number);
        if (ids) return route.fulfill({ json: { items: ids.map((id) => all[id - 1]).filter(Boolean), next: null } });
        const after = Number(values.get("after") ?? 0);
        const items = all.slice(after, after + 500);
        return route.fulfill({ json: { items, next: after + 500 < all.length ? String(after + 500) : null } });
      });
      await page.goto(`${product.url}/#/bots`);
      await page.reload();
      await page.getByText("10,000 of 10,000").waitFor();
      const table = page.getByTestId("bots");
      const rows = () => table.locator("[data-bot]").count();
      assert.ok((await rows()) < 80, "only what is seen is there");
      await table.evaluate((node) => (node.scrollTop = node.scrollHeight));
      await page.getByText("bot-10000").waitFor();
      assert.ok((await rows()) < 80);
      await page.getByLabel("Find bots").fill("bot-04242");
      await page.getByText("1 of 10,000").waitFor();
    },
  ],
];
