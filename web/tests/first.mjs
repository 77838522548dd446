// The first start: the owner, the size of the first page, paper money and a first bot.

import assert from "node:assert/strict";
import { page as open, until, BUILT, PATIENCE_MS } from "./product.mjs";

export const NAME = "owner";
export const PASSWORD = "correct horse battery";

export const first = [
  [
    "a_first_start_makes_the_owner_and_a_first_bot",
    async (world) => {
      const { product, chrome } = world;
      const context = await chrome.newContext({ viewport: { width: 1440, height: 900 } });
      context.setDefaultTimeout(PATIENCE_MS);
      world.owner = context;
      const page = await open(context, product.url);
      world.page = page;
      const began = Date.now();
      await page.goto(product.url);
      await page.getByRole("heading", { name: "First start" }).waitFor();
      const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null);
      console.log(`       first paint after ${Math.round(paint)} ms`);
      assert.match(await page.getByTestId("mode").innerText(), /^DEMO/);
      // A wrong code is said in the server's words and changes nothing.
      await page.getByLabel("Setup code").fill("amk0wrongwrong");
      await page.getByLabel("Your name").fill(NAME);
      await page.getByLabel("Password").fill(PASSWORD);
      await page.getByRole("button", { name: "Create the owner" }).click();
      await page.getByText("this is not the code that the terminal").waitFor();
      await page.getByLabel("Setup code").fill(product.setupCode);
      await page.getByRole("button", { name: "Create the owner" }).click();
      await page.getByRole("heading", { name: `Welcome, ${NAME}` }).waitFor();
      const made = await context.request.post(`${product.url}/api/tokens`, {
        headers: { origin: product.url },
        data: { name: "tests", role: "admin" },
      });
      product.token = (await made.json()).token;
      await page.getByRole("button", { name: "Deposit" }).click();
      const sum = async () => (await product.api("/api/wallets")).find((w) => w.exchange === "binance")?.total;
      await until("the deposit", async () => Number(await sum()) > 25_000);
      await page.getByRole("button", { name: "Create and start it" }).click();
      await page.getByTestId("doing").waitFor();
      const bots = (await product.api("/api/bots?limit=500")).items;
      const bot = bots.find((b) => b.name.startsWith("trend-"));
      assert.ok(bot, "the preset is a bot");
      await until("its sentence", async () => (await page.getByTestId("doing").innerText()) === (await product.api(`/api/bots/${bot.id}`)).doing);
      const seconds = (Date.now() - began) / 1000;
      console.log(`       from the empty page to a bot that runs: ${seconds.toFixed(0)} s`);
      assert.ok(seconds < 120, "two minutes are enough");
      assert.deepEqual(page.wrongs, []);
    },
    true,
  ],
  [
    "the_first_page_is_small_and_asks_nobody_else",
    async ({ product, chrome }) => {
      const context = await chrome.newContext();
      const page = await open(context, product.url);
      const files = [];
      page.on("response", (response) => files.push(response));
      await page.goto(product.url);
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      let bytes = 0;
      for (const response of BUILT ? files : []) {
        const { pathname } = new URL(response.url());
        if (pathname.startsWith("/api/")) continue;
        const sizes = await response.request().sizes();
        bytes += sizes.responseBodySize;
        const cache = response.headers()["cache-control"];
        if (pathname.startsWith("/assets/")) assert.match(cache, /immutable/, pathname);
        if (pathname === "/") assert.equal(cache, "no-cache");
        if (/\.(js|css)$/.test(pathname)) assert.equal(response.headers()["content-encoding"], "gzip", pathname);
      }
      console.log(`       first page: ${(bytes / 1000).toFixed(0)} kB`);
      if (BUILT) assert.ok(bytes > 20_000 && bytes < 250_000, `${bytes} bytes`);
      const policy = files[0].headers()["content-security-policy"];
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.deepEqual(page.wrongs, []);
    },
  ],
];
