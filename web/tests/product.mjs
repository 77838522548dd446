// The built binary on free ports with a data directory of its own, and a browser before it.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const ROOT = new URL("../..", import.meta.url).pathname;
/** On a busy machine everything takes its time; nothing waits longer than it must. */
export const PATIENCE_MS = 40_000;

export const BINARY = process.env.PAGE_BINARY ?? join(ROOT, "target/debug/amarktai");
export const SHOTS = join(ROOT, "target/dashboard");

export function freePort() {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Until it holds, asked for again and again; fails with the last reason. */
export async function until(what, ask, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  let reason = "it never held";
  for (;;) {
    try {
      const found = await ask();
      if (found) return found;
    } catch (error) {
      reason = String(error?.message ?? error);
    }
    if (Date.now() > end) throw new Error(`waited ${patience} ms for ${what}: ${reason}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

/** One run of `amarktai demo` (or another verb), over its own directory. */
export class Product {
  constructor(port, directory) {
    this.port = port;
    this.directory = directory;
    this.url = `http://127.0.0.1:${port}`;
    this.log = "";
  }

  static async start({ verb = "demo", env = {}, config } = {}) {
    const product = new Product(await freePort(), mkdtempSync(join(tmpdir(), "amarktai-page-")));
    if (config) writeFileSync(join(product.directory, "amarktai.toml"), config);
    product.verb = verb;
    product.env = env;
    await product.run();
    return product;
  }

  async run() {
    const words = [this.verb, "--listen", `127.0.0.1:${this.port}`, "--data-dir", join(this.directory, "data")];
    this.log = "";
    this.child = spawn(BINARY, words, {
      cwd: this.directory,
      env: { ...process.env, RUST_LOG: "warn", ...this.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (text) => (this.log = (this.log + text).slice(-20_000));
    this.child.stdout.setEncoding("utf8").on("data", keep);
    this.child.stderr.setEncoding("utf8").on("data", keep);
    this.ended = new Promise((done) => this.child.once("exit", done));
    await until("the server", async () => {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.log}`);
      return (await fetch(`${this.url}/api/health/live`)).ok;
    });
    const code = /setup code (\S+)/.exec(this.log)?.[1];
    this.setupCode = code ?? this.setupCode ?? (await until("the setup code", () => /setup code (\S+)/.exec(this.log)?.[1], 10_000).catch(() => undefined));
  }

  /** The API, signed in by the cookie of a browser context or a token. */
  async api(path, { token = this.token, method = "GET", body } = {}) {
    const headers = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const response = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const answer = await response.json().catch(() => null);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  async stop(signal = "SIGTERM") {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.ended;
  }

  async end() {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function browser() {
  const path = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
  if (!path) throw new Error("chromium is missing: apt-get install chromium");
  return chromium.launch({ executablePath: path, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** For work on the page alone: its files from `vite build`, all else from the binary. */
const DIST = process.env.PAGE_DIST;
/** Are the page's files those of the binary? */
export const BUILT = DIST === undefined;
const KINDS = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml" };

async function fromDist(page, url) {
  const head = await fetch(url);
  await page.route(
    (to) => !to.pathname.startsWith("/api/"),
    (route) => {
      const { pathname } = new URL(route.request().url());
      const file = join(DIST, pathname === "/" ? "index.html" : pathname);
      if (!existsSync(file)) return route.continue();
      const headers = { "content-type": KINDS[extname(file)] ?? "text/plain", "content-security-policy": head.headers.get("content-security-policy") };
      return route.fulfill({ body: readFileSync(file), headers });
    },
  );
}

/** A page that remembers what went wrong on it. */
export async function page(context, url) {
  const page = await context.newPage();
  if (DIST) await fromDist(page, url);
  page.wrongs = [];
  page.on("pageerror", (error) => page.wrongs.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // An answer of 4xx or 5xx is said by the page itself where it matters.
    if (message.type() === "error" && !text.startsWith("Failed to load resource")) page.wrongs.push(text);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("blob:")) page.wrongs.push(`foreign request: ${request.url()}`);
  });
  return page;
}

export const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
