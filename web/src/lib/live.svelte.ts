// The connection as the screen sees it, and who wants to know of which events.

import { get, query } from "./api";
import { Stream, type Link, type LiveEvent } from "./stream";

export interface Beat {
  time: string;
  active_bots: number | null;
  feeds_fresh: number | null;
  feeds_stale: number | null;
  trades_today: number | null;
  lag_ms: number | null;
  last_commit_at: string | null;
  engine: string;
}

/** Heartbeats come every 10 s, and a lost link must show within 12. */
export const LOST_AFTER_MS = 11_500;
/** Events are handed on in portions: a burst costs one turn of the page, not one each. */
const PORTION_MS = 200;
/** Where the stream is switched off. */
const POLL_MS = 5_000;
/** Kept for the alerts and the event page. */
const RECENT_MAX = 500;
/** One portion at most; what waits is handed on in the next turn. */
const PORTION_MAX = 500;

type Listener = (events: LiveEvent[]) => void;
type Word = "starting" | "live" | "polling" | "lost";

class Live {
  word = $state<Word>("starting");
  beat = $state<Beat | null>(null);
  /** Ticks once a second, for ages. */
  now = $state(Date.now());
  /** When figures last came in whole. */
  shownAt = $state(0);
  /** Rises with each new connection: whoever shows figures reads them again. */
  epoch = $state(0);
  /** Rises with `recent`. */
  version = $state(0);
  recent: LiveEvent[] = [];
  isPolling = $state(false);

  #link: Link = "connecting";
  #heardAt = 0;
  #openedAt = 0;
  #stream: Stream | null = null;
  #waiting: LiveEvent[] = [];
  #flush: ReturnType<typeof setTimeout> | null = null;
  #clock: ReturnType<typeof setInterval> | null = null;
  #poll: ReturnType<typeof setInterval> | null = null;
  #cursor: string | null = null;
  #listeners = new Map<string, Set<Listener>>();

  start(signedOut: () => void): void {
    this.stop();
    this.#openedAt = Date.now();
    this.#clock = setInterval(() => this.#tick(), 1_000);
    const stream = new Stream(
      {
        event: (event) => this.#take(event),
        heard: () => {
          this.#heardAt = Date.now();
        },
        link: (link) => {
          this.#link = link;
          if (link === "signed_out") signedOut();
          if (link === "off") this.#startPolling();
          if (link === "open") this.epoch += 1;
          this.#tick();
        },
      },
      { fetch: (url, init) => fetch(url, init), wait, alarm },
    );
    this.#stream = stream;
    void stream.run();
  }

  stop(): void {
    this.#stream?.close();
    this.#stream = null;
    for (const timer of [this.#clock, this.#poll]) if (timer) clearInterval(timer);
    this.#clock = this.#poll = null;
    this.#heardAt = this.shownAt = 0;
    this.#cursor = null;
    this.isPolling = false;
    this.recent = [];
    this.beat = null;
    this.word = "starting";
  }

  /** Calls with portions of these events, `*` for all, until the answer is called. */
  on(types: readonly string[], listener: Listener): () => void {
    for (const type of types) {
      const set = this.#listeners.get(type) ?? new Set();
      this.#listeners.set(type, set.add(listener));
    }
    return () => types.forEach((type) => this.#listeners.get(type)?.delete(listener));
  }

  /** A page has its figures. */
  shown(): void {
    this.shownAt = Date.now();
    if (this.isPolling) this.#heardAt = Date.now();
  }

  #take(event: LiveEvent): void {
    if (event.type === "heartbeat") this.beat = event.data as unknown as Beat;
    this.#waiting.push(event);
    this.#flush ??= setTimeout(() => this.#hand(), PORTION_MS);
  }

  #hand(): void {
    this.#flush = null;
    const portion = this.#waiting.splice(0, PORTION_MAX);
    if (this.#waiting.length > 0) this.#flush = setTimeout(() => this.#hand(), 0);
    const kept = portion.filter((event) => event.type !== "heartbeat");
    if (kept.length > 0) {
      this.recent = [...kept.reverse(), ...this.recent].slice(0, RECENT_MAX);
      kept.reverse();
      this.version += 1;
    }
    const told = new Map<Listener, LiveEvent[]>();
    for (const event of portion) {
      for (const type of [event.type, "*"]) {
        for (const listener of this.#listeners.get(type) ?? []) {
          const list = told.get(listener) ?? [];
          list.push(event);
          told.set(listener, list);
        }
      }
    }
    for (const [listener, events] of told) listener(events);
  }

  #tick(): void {
    const now = Date.now();
    this.now = now;
    const isOpen = this.isPolling || this.#link === "open";
    const isHeard = now - this.#heardAt <= LOST_AFTER_MS;
    if (isOpen && isHeard) this.word = this.isPolling ? "polling" : "live";
    else if (this.#heardAt === 0 && now - this.#openedAt < LOST_AFTER_MS) this.word = "starting";
    // A restart takes two seconds: nobody needs to read of it before.
    else if (!isOpen && now - this.#heardAt < 2_500) return;
    else this.word = "lost";
  }

  /** No stream: the stored events are asked for, page by page, after the last cursor. */
  #startPolling(): void {
    this.isPolling = true;
    const turn = async () => {
      try {
        const path = `/api/events${query({ after: this.#cursor, limit: 500 })}`;
        const page = await get<{ items: LiveEvent[]; next: string | null }>(path);
        const isFirst = this.#cursor === null;
        this.#cursor = page.items.at(-1)?.cursor ?? this.#cursor ?? "0";
        this.#heardAt = Date.now();
        if (!isFirst) page.items.forEach((event) => this.#take(event));
        this.epoch += 1;
      } catch {
        // The banner says it; the next turn tries again.
      }
      this.#tick();
    };
    void turn();
    this.#poll = setInterval(turn, POLL_MS);
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
    // Back on the net or on the screen: try at once.
    addEventListener("online", () => (clearTimeout(timer), done()), { once: true, signal });
  });
}

function alarm(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

export const live = new Live();
