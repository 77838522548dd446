// All bots of the account, kept new without ever asking for all of them at once: those on the
// screen and those that events name come first, the rest in a slow round.

import { untrack } from "svelte";
import { get, query, problemOf, type Bot, type Paged, type Problem } from "./api";
import { live } from "./live.svelte";
import { BOTS, MONEY } from "./resource.svelte";
import type { LiveEvent } from "./stream";

/** Bots of one answer: parsing it must not hold up the page. */
const PORTION = 100;
/** Between turns. */
const TURN_MS = 1_000;
/** A bot on the screen is read again after this, as its equity moves with the market. */
const VISIBLE_MS = 2_000;
/** All are read once in a while: a turn of the round is this long. */
const ROUND_MS = 3_000;

class Bots {
  readonly byId = new Map<number, Bot>();
  /** Rises with every change. */
  version = $state(0);
  isLoaded = $state(false);
  problem = $state<Problem | null>(null);
  /** On the screen now. */
  visible: number[] = [];

  #dirty = new Set<number>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #off: () => void = () => {};
  #isBusy = false;
  #round = 0;
  #roundAt = 0;
  #visibleAt = 0;
  #epoch = -1;

  start(): void {
    this.#off = live.on([...BOTS, ...MONEY, "order_updated", "refusal"], (events) => this.#note(events));
    this.#timer = setInterval(() => void this.#turn(), TURN_MS);
    void this.#loadAll();
  }

  stop(): void {
    this.#off();
    if (this.#timer) clearInterval(this.#timer);
    this.byId.clear();
    this.isLoaded = false;
    this.version += 1;
  }

  all(): Bot[] {
    return [...this.byId.values()];
  }

  /** What an order answered. */
  put(bot: Bot): void {
    this.byId.set(bot.id, bot);
    // Who puts does not watch: an effect that did both would never end.
    untrack(() => (this.version += 1));
  }

  /** Reads these soon. */
  touch(ids: readonly number[]): void {
    ids.forEach((id) => this.#dirty.add(id));
  }

  #note(events: LiveEvent[]): void {
    for (const { type, data } of events) {
      const id = data.bot_id ?? (type.startsWith("bot_") ? data.id : undefined);
      if (typeof id === "number") this.#dirty.add(id);
      else if (type === "emergency_stop" || type === "circuit_breaker") this.touch([...this.byId.keys()]);
    }
  }

  async #loadAll(): Promise<void> {
    let after: string | null = null;
    try {
      do {
        const path: string = `/api/bots${query({ limit: 500, after })}`;
        const page: Paged<Bot> = await get<Paged<Bot>>(path);
        for (const bot of page.items) this.byId.set(bot.id, bot);
        after = page.next;
        this.version += 1;
        this.isLoaded ||= page.items.length > 0 || after === null;
        live.shown();
      } while (after !== null);
      this.problem = null;
    } catch (error) {
      this.problem = problemOf(error);
      this.#epoch = -1;
    }
    this.isLoaded = true;
  }

  async #turn(): Promise<void> {
    if (this.#isBusy || document.hidden) return;
    this.#isBusy = true;
    // After a new connection everything is asked for again, once.
    if (this.#epoch !== live.epoch && live.word !== "lost") {
      const isFirst = this.#epoch === -1 && this.problem === null;
      this.#epoch = live.epoch;
      if (!isFirst) await this.#loadAll();
    }
    await this.#read(this.#next());
    this.#isBusy = false;
  }

  #next(): number[] {
    const now = Date.now();
    const ids = new Set<number>();
    if (now - this.#visibleAt >= VISIBLE_MS) {
      this.#visibleAt = now;
      this.visible.slice(0, PORTION).forEach((id) => ids.add(id));
    }
    for (const id of this.#dirty) {
      if (ids.size >= PORTION) break;
      ids.add(id);
      this.#dirty.delete(id);
    }
    if (ids.size < PORTION && now - this.#roundAt >= ROUND_MS) {
      this.#roundAt = now;
      const known = [...this.byId.keys()];
      for (let i = 0; i < known.length && ids.size < PORTION; i++) {
        this.#round = (this.#round + 1) % known.length;
        ids.add(known[this.#round] as number);
      }
    }
    return [...ids];
  }

  async #read(ids: number[]): Promise<void> {
    if (ids.length === 0) return;
    try {
      const path = `/api/bots${query({ ids: ids.join(","), limit: PORTION })}`;
      const page = await get<Paged<Bot>>(path);
      for (const bot of page.items) this.byId.set(bot.id, bot);
      this.version += 1;
      this.problem = null;
      live.shown();
    } catch (error) {
      this.problem = problemOf(error);
      this.touch(ids);
    }
  }
}

export const bots = new Bots();

/** The five words of a bot's state, in the order of how much they ask for attention. */
export const STATES = ["trading", "waiting", "paused", "stopped", "archived"] as const;
