// Broken, slow and missing streams, and a server that restarts under the page.

import assert from "node:assert/strict";
import { NAME, PASSWORD } from "./first.mjs";
import { offIsSaid } from "./pilot.mjs";
import { proxy } from "./proxy.mjs";
import { Product, SHOTS, page as open, until, PATIENCE_MS } from "./product.mjs";

async function signIn(page, url, name = NAME, password = PASSWORD) {
  await page.goto(url);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByTestId("link").waitFor();
}

const cursors = (page) => page.getByTestId("events").locator("li[data-cursor]").evaluateAll((all) => all.map((li) => Number(li.dataset.cursor)));

/** The page's events are the store's: none missing between its oldest and newest, none twice. */
async function isWhole(product, page, from) {
  const shown = (await cursors(page)).filter((c) => c > from);
  assert.equal(new Set(shown).size, shown.length, "an event is there twice");
  const newest = Math.max(...shown);
  const oldest = Math.min(...shown);
  const stored = [];
  let after = String(from);
  for (;;) {
    const { items } = await product.api(`/api/events?after=${after}&limit=500`);
    if (items.length === 0) break;
    stored.push(...items.map((e) => Number(e.cursor)));
    after = items.at(-1).cursor;
    if (items.length < 500) break;
  }
  const expected = stored.filter((c) => c >= oldest && c <= newest);
  assert.deepEqual(shown.sort((a, b) => a - b), expected);
  return shown.length;
}

const DEPOSIT = { exchange: "binance", currency: "USDT", amount: "1" };

export const links = [
  [
    "a_stream_in_crumbs_and_cut_again_and_again_loses_and_doubles_nothing",
    async ({ product, chrome }) => {
      const between = await proxy(product.url);
      try {
        const context = await chrome.newContext({ viewport: { width: 1440, height: 900 } });
        context.setDefaultTimeout(PATIENCE_MS);
        const page = await open(context, between.url);
        between.state.crumbs = true;
        await signIn(page, between.url);
        await page.goto(`${between.url}/#/system?tab=events`);
        await until("a live link", async () => (await page.getByTestId("link").getAttribute("data-word")) === "live");
        await until("events", async () => (await cursors(page)).length > 5);
        const from = Math.max(...(await cursors(page)));
        for (let i = 0; i < 4; i++) {
          const before = Math.max(...(await cursors(page)));
          between.cut();
          // Its bots may all be cooling down by now: what happens, happens by hand.
          for (let n = 0; n < 4; n++) await product.api("/api/wallets/deposits", { method: "POST", body: DEPOSIT });
          await until("events after the cut", async () => Math.max(...(await cursors(page))) > before + 3);
        }
        const count = await isWhole(product, page, from);
        console.log(`       ${count} events over 4 cuts`);
        assert.deepEqual(page.wrongs, []);
      } finally {
        await between.close();
      }
    },
  ],
  [
    "a_server_that_restarts_is_shown_as_lost_and_the_page_catches_up",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/system?tab=events`);
      await until("events", async () => (await cursors(page)).length > 5);
      const from = Math.max(...(await cursors(page)));
      await product.stop();
      const gone = Date.now();
      await page.getByTestId("lost").waitFor();
      const seconds = (Date.now() - gone) / 1000;
      console.log(`       shown as lost after ${seconds.toFixed(1)} s`);
      assert.ok(seconds <= 12, "within 12 s");
      assert.match(await page.getByTestId("lost").innerText(), /What you see is \d+ (s|min) old/);
      await page.screenshot({ path: `${SHOTS}/system-1440-light-gone.png` });
      await page.goto(`${product.url}/#/`, { waitUntil: "commit" }).catch(() => {});
      await page.screenshot({ path: `${SHOTS}/overview-1440-light-gone.png` });
      // What could not be asked is not known; that there is nothing would be a lie.
      await page.getByText("Not known now.").first().waitFor();
      assert.equal(await page.getByText(/No money yet|No closed trade yet|No market is in use/).count(), 0);
      await page.evaluate(() => (location.hash = "#/system?tab=events"));
      await product.run();
      await page.getByTestId("lost").waitFor({ state: "detached" });
      await until("events of the new run", async () => Math.max(...(await cursors(page))) > from + 3);
      await isWhole(product, page, from);
    },
  ],
  [
    "what_is_switched_off_is_said_and_the_page_polls_without_realtime",
    async ({ chrome }) => {
      const product = await Product.start({ env: { ENABLE_REALTIME: "false", ENABLE_AUTOPILOT: "false" } });
      try {
        const context = await chrome.newContext();
        context.setDefaultTimeout(PATIENCE_MS);
        const page = await open(context, product.url);
        await page.goto(product.url);
        await page.getByLabel("Setup code").fill(product.setupCode);
        await page.getByLabel("Your name").fill(NAME);
        await page.getByLabel("Password").fill(PASSWORD);
        await page.getByRole("button", { name: "Create the owner" }).click();
        await page.getByText("Polling every 5 s").waitFor();
        await page.getByTestId("skip").click();
        await until("figures", async () => /ZAR/.test(await page.getByTestId("equity").innerText()));
        await offIsSaid(page, product.url);
        assert.deepEqual(page.wrongs, []);
      } finally {
        await product.end();
      }
    },
  ],
];
