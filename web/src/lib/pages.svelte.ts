// A list that grows by pages: the newest at once, older ones when asked for.

import { untrack } from "svelte";
import { get, query, type Paged, type Problem } from "./api";
import { problemOf } from "./api";
import { live } from "./live.svelte";

type Values = Record<string, string | number | boolean | null | undefined>;
/** Rows of one answer. */
const ROWS = 100;
/** Rows kept on a page: more is what the export is for. */
const ROWS_MAX = 2_000;

export class Pages<T> {
  items = $state.raw<T[]>([]);
  next = $state<string | null>(null);
  problem = $state<Problem | null>(null);
  isLoading = $state(true);
  #run = 0;

  constructor(
    private readonly path: string,
    private readonly key: (row: T) => unknown,
  ) {}

  /** From the newest on. */
  async begin(values: Values): Promise<void> {
    const run = ++this.#run;
    this.isLoading = true;
    await this.#read(run, values, null, (rows) => rows);
  }

  /** What came since, above what is there. */
  async refresh(values: Values): Promise<void> {
    const run = this.#run;
    const kept = this.next;
    await this.#read(run, values, null, (rows) => {
      const fresh = new Set(rows.map(this.key));
      const rest = this.items.filter((row) => !fresh.has(this.key(row)));
      // Where the page was read further, its own end stays the end.
      if (rest.length > 0 && this.items.length > ROWS) queueMicrotask(() => (this.next = kept));
      return [...rows, ...rest].slice(0, ROWS_MAX);
    });
  }

  async more(values: Values): Promise<void> {
    if (this.next === null || this.items.length >= ROWS_MAX) return;
    await this.#read(this.#run, values, this.next, (rows) => [...this.items, ...rows]);
  }

  async #read(run: number, values: Values, after: string | null, join: (rows: T[]) => T[]): Promise<void> {
    try {
      const page = await get<Paged<T>>(this.path + query({ ...values, limit: ROWS, after }));
      if (run !== this.#run) return;
      this.items = join(page.items);
      this.next = page.next;
      this.problem = null;
      live.shown();
    } catch (error) {
      if (run === this.#run) this.problem = problemOf(error);
    }
    this.isLoading = false;
  }
}

/** For a component: begins anew when its values change, and takes in what events tell of. */
export function pages<T>(path: string, key: (row: T) => unknown, values: () => Values, on: readonly string[]): Pages<T> {
  const list = new Pages<T>(path, key);
  $effect(() => {
    const now = values();
    void live.epoch;
    untrack(() => void list.begin(now));
  });
  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const off = live.on(on, () => {
      timer ??= setTimeout(() => {
        timer = null;
        void list.refresh(untrack(values));
      }, 1_000);
    });
    return () => {
      off();
      if (timer) clearTimeout(timer);
    };
  });
  return list;
}
