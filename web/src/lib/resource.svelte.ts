// Figures of one route that keep themselves new while a page shows them.

import { untrack } from "svelte";
import { get, Problem, problemOf } from "./api";
import { live } from "./live.svelte";

/** Events come in bursts: one reading a second is enough for eyes. */
const CALM_MS = 1_000;

export interface Fresh {
  /** Events after which the figures may be others. */
  on?: readonly string[];
  /** Figures that move with the market tell no event. */
  every_ms?: number;
}

export class Resource<T> {
  data = $state<T | null>(null);
  problem = $state<Problem | null>(null);
  at = $state(0);
  isLoading = $state(true);
  #path: string | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isBusy = false;
  #isAgain = false;

  /** Reads now; what comes for another path meanwhile is dropped. */
  async reload(): Promise<void> {
    const path = this.#path;
    if (path === null) return;
    if (this.#isBusy) {
      this.#isAgain = true;
      return;
    }
    this.#isBusy = true;
    try {
      const data = await get<T>(path);
      if (path === this.#path) {
        this.data = data;
        this.problem = null;
        this.at = Date.now();
        live.shown();
      }
    } catch (error) {
      // Old figures stay on the screen, with the connection's age above them.
      if (path === this.#path) this.problem = problemOf(error);
    }
    this.#isBusy = false;
    this.isLoading = false;
    if (this.#isAgain || path !== this.#path) {
      this.#isAgain = false;
      this.soon();
    }
  }

  /** Reads within a second, once. */
  soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.reload();
    }, CALM_MS);
  }

  /** From here on of this path. */
  point(path: string | null): void {
    if (path === this.#path) return;
    this.#path = path;
    this.data = null;
    this.problem = null;
    this.isLoading = path !== null;
    void this.reload();
  }

  close(): void {
    this.#path = null;
    if (this.#timer) clearTimeout(this.#timer);
  }
}

/** For a component: reads while it is there. A `null` path reads nothing. */
export function resource<T>(path: () => string | null, fresh: Fresh = {}): Resource<T> {
  const resource = new Resource<T>();
  $effect(() => {
    const to = path();
    untrack(() => resource.point(to));
  });
  let epoch = live.epoch;
  $effect(() => {
    // A new connection may have missed what no event repeats.
    if (live.epoch !== epoch) {
      epoch = live.epoch;
      untrack(() => resource.soon());
    }
  });
  $effect(() => {
    const off = live.on(fresh.on ?? [], () => resource.soon());
    const timer = fresh.every_ms
      ? setInterval(() => document.hidden || resource.reload(), fresh.every_ms)
      : null;
    return () => {
      off();
      if (timer) clearInterval(timer);
      resource.close();
    };
  });
  return resource;
}

/** Events that move money or positions. */
export const MONEY = [
  "fill",
  "trade_opened",
  "trade_executed",
  "balance_updated",
  "bot_created",
  "bot_stopped",
] as const;
/** Events that change what bots are. */
export const BOTS = [
  "bot_created",
  "bot_updated",
  "bot_paused",
  "bot_resumed",
  "bot_stopped",
  "risk_stop",
  "circuit_breaker",
  "emergency_stop",
] as const;
