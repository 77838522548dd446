// The dashboard in a real browser over the built binary. One product, started here and ended here;
// each test says what it saw. Prints the sum in the words that `cargo xtask test` counts.

import { mkdirSync, rmSync } from "node:fs";
import { Product, SHOTS, browser } from "./product.mjs";
import { first } from "./first.mjs";
import { desk, receiver } from "./desk.mjs";
import { orders } from "./orders.mjs";
import { pilot } from "./pilot.mjs";
import { factor } from "./factor.mjs";
import { links } from "./links.mjs";
import { live } from "./live.mjs";
import { looks } from "./looks.mjs";

/** One test may take so long on a busy machine; all together stay under five minutes. */
const TEST_MAX_MS = 150_000;
const wanted = process.argv[2];

const hook = await receiver();
const product = await Product.start({ env: { AMARKTAI_NOTIFY__WEBHOOK_URL: hook.url, AMARKTAI_NOTIFY__WEBHOOK_SECRET: "of-these-tests-alone" } });
const chrome = await browser();
rmSync(SHOTS, { recursive: true, force: true });
mkdirSync(SHOTS, { recursive: true });
const world = { product, chrome, hook };
let [passed, failed] = [0, 0];
const started = Date.now();
try {
  for (const [name, test, isNeeded] of [...first, ...orders, ...desk, ...pilot, ...factor, ...live, ...looks, ...links]) {
    if (wanted && !isNeeded && !new RegExp(wanted).test(name)) continue;
    const began = Date.now();
    let timer;
    const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error(`longer than ${TEST_MAX_MS} ms`)), TEST_MAX_MS)));
    try {
      await Promise.race([test(world), late]);
      passed += 1;
      console.log(`ok     ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      if (isNeeded) console.log("       without it the others say nothing");
      console.log(`FAILED ${name}\n${error?.stack ?? error}`);
      const open = chrome.contexts().flatMap((c) => c.pages());
      for (const [i, page] of open.entries()) await page.screenshot({ path: `${SHOTS}/failed-${failed}-${i}.png`, timeout: 10_000 }).catch(() => {});
    }
    clearTimeout(timer);
    if (isNeeded && failed > 0) break;
    for (const context of chrome.contexts()) if (context !== world.owner) await context.close().catch(() => {});
  }
} finally {
  await chrome.close();
  await product.end();
  await hook.close();
}
console.log(`took ${Math.round((Date.now() - started) / 1000)} s; screenshots: target/dashboard`);
console.log(`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed; 0 ignored`);
process.exitCode = failed === 0 ? 0 : 1;
