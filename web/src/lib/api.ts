// The HTTP API: one way to ask and one to order. Errors are the server's own problem documents.

import type { components } from "../generated/schema";

export type Shapes = components["schemas"];
export type Bot = Shapes["Bot"];
export type Trade = Shapes["Trade"];
export type Market = Shapes["Market"];
export type Order = Shapes["Order"];
export type Paged<T> = { items: T[]; next: string | null };

/** A request that hangs must not hold up the next one. */
const ANSWER_MAX_MS = 15_000;
/** Hashing a password, asking an exchange or proving a backup takes its time; the server gives up after 30 s. */
const SLOW_MAX_MS = 31_000;

/** What the server says is wrong, with its figures. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly figures: Record<string, unknown> = {},
  ) {
    super(detail);
    this.name = "Problem";
  }

  /** The part does not exist yet, and says so. */
  get isNotBuilt(): boolean {
    return this.status === 501;
  }
}

let signedOut: () => void = () => {};

/** Called when any answer says that the session has ended. */
export function onSignedOut(run: () => void): void {
  signedOut = run;
}

/** Any failure as a problem with a sentence that says what to do. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const name = error instanceof Error ? error.name : "";
  if (name === "TimeoutError") {
    return new Problem(0, "NO_ANSWER", "the server did not answer in time; try again");
  }
  if (name === "AbortError") return new Problem(0, "ABORTED", "not needed any more");
  return new Problem(0, "UNREACHABLE", "the server cannot be reached; is it running?");
}

/** What the server says where it wants a code of the second factor before it goes on. */
const WANTS_CODE = new Set(["SECOND_FACTOR_REQUIRED", "SECOND_FACTOR_WRONG", "SECOND_FACTOR_USED"]);
let codeOf: ((why: Problem) => Promise<string | null>) | null = null;

/** Called for a code; `null` as its answer: the person leaves it. */
export function onCodeWanted(run: ((why: Problem) => Promise<string | null>) | null): void {
  codeOf = run;
}

/** Asks; where a code is wanted, asks the person for it and then once more. */
async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  let code: string | null = null;
  for (;;) {
    try {
      return await once<T>(method, path, body, code);
    } catch (error) {
      const isAsked = error instanceof Problem && WANTS_CODE.has(error.code) && !path.endsWith("/confirm");
      if (!isAsked || !codeOf) throw error;
      code = await codeOf(error);
      if (code === null) throw error;
    }
  }
}

async function once<T>(method: string, path: string, body: unknown, factor: string | null): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (factor !== null) headers["x-second-factor"] = factor;
  // What is ordered twice by a shaky line is carried out once.
  if (method === "POST" && !isQuestion(path)) headers["idempotency-key"] = crypto.randomUUID?.() ?? key();
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(patience(path)),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    throw problemOf(error);
  }
  if (response.status === 204) return undefined as T;
  const answer = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  // Health answers 503 with its whole document.
  if (response.ok || (path === "/api/health" && answer !== null)) return answer as T;
  const { code, detail, ...figures } = answer ?? {};
  const text = typeof detail === "string" ? detail : `the server answered ${response.status}`;
  const problem = new Problem(response.status, String(code ?? "UNKNOWN"), text, figures);
  if (response.status === 401 && !path.startsWith("/api/auth/")) signedOut();
  throw problem;
}

function patience(path: string): number {
  return /^\/api\/(auth|keys|backups|notifications)\b/.test(path) ? SLOW_MAX_MS : ANSWER_MAX_MS;
}

/** A POST that changes nothing. */
const isQuestion = (path: string): boolean => path.endsWith("/preview") || path.startsWith("/api/auth/");

/** Where the page is not on https or loopback, there is no randomUUID. */
function key(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const get = <T>(path: string): Promise<T> => ask<T>("GET", path);
export const post = <T>(path: string, body?: unknown): Promise<T> => ask<T>("POST", path, body);
export const put = <T>(path: string, body: unknown): Promise<T> => ask<T>("PUT", path, body);
export const patch = <T>(path: string, body: unknown): Promise<T> => ask<T>("PATCH", path, body);
export const remove = <T>(path: string): Promise<T> => ask<T>("DELETE", path);

/** A query of what is given. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const given = Object.entries(values).filter(([, value]) => value != null && value !== "");
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
