// The event stream with resume: no gap and no double over a lost connection, a restart of the
// server, or a stream that says nothing any more. It knows nothing of the screen.

import { Parser, type Frame } from "./sse";

export interface LiveEvent {
  cursor: string;
  seq: number | null;
  at: string;
  type: string;
  account_id: number | null;
  data: Record<string, unknown>;
}

/** What became of the stream. */
export type Link = "connecting" | "open" | "lost" | "off" | "signed_out";

export interface Surroundings {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Calls once after the time; the answer cancels. */
  alarm: (ms: number, run: () => void) => () => void;
}

/** A heartbeat comes every 10 s: after two and a half, an open stream is dead. */
export const SILENT_MAX_MS = 25_000;
/** Waits between tries: soon at first, for a restart takes two seconds. */
export const RETRIES_MS = [250, 500, 1_000, 2_000, 3_000];
const URL = "/api/realtime/events";

export class Stream {
  /** Of the last event that was given; goes on after it. */
  cursor: string | null = null;
  #stop = new AbortController();
  #tries = 0;

  constructor(
    private readonly on: {
      event: (event: LiveEvent) => void;
      link: (link: Link) => void;
      heard: () => void;
    },
    private readonly outside: Surroundings,
  ) {}

  /** Follows until `close`; comes back by itself. */
  async run(): Promise<void> {
    const end = this.#stop.signal;
    while (!end.aborted) {
      this.on.link(this.#tries === 0 ? "connecting" : "lost");
      const next = await this.#follow(end);
      if (end.aborted) return;
      if (next === "off" || next === "signed_out") {
        this.on.link(next);
        return;
      }
      this.on.link("lost");
      const wait = RETRIES_MS[Math.min(this.#tries, RETRIES_MS.length - 1)] ?? 3_000;
      this.#tries += 1;
      await this.outside.wait(wait, end);
    }
  }

  close(): void {
    this.#stop.abort();
  }

  /** One connection, to its end. */
  async #follow(end: AbortSignal): Promise<"again" | "off" | "signed_out"> {
    const dead = new AbortController();
    const signal = AbortSignal.any([end, dead.signal]);
    let cancel = this.outside.alarm(SILENT_MAX_MS, () => dead.abort());
    const heard = () => {
      cancel();
      cancel = this.outside.alarm(SILENT_MAX_MS, () => dead.abort());
      this.on.heard();
    };
    try {
      const after = this.cursor === null ? "" : `?after=${encodeURIComponent(this.cursor)}`;
      const headers = { accept: "text/event-stream" };
      const response = await this.outside.fetch(URL + after, { headers, signal, cache: "no-store" });
      if (response.status === 401) return "signed_out";
      if (!response.ok || !response.body) return await this.#refused(response);
      this.#tries = 0;
      heard();
      this.on.link("open");
      return await this.#read(response.body, heard);
    } catch {
      return "again";
    } finally {
      cancel();
      dead.abort();
    }
  }

  async #refused(response: Response): Promise<"again" | "off"> {
    const problem = (await response.json().catch(() => null)) as { code?: string } | null;
    // A cursor that the server does not know: the events are gone, start at now.
    if (response.status === 400 || response.status === 422) this.cursor = null;
    return problem?.code === "REALTIME_OFF" ? "off" : "again";
  }

  async #read(body: ReadableStream<Uint8Array>, heard: () => void): Promise<"again" | "signed_out"> {
    let isOut = false;
    const parser = new Parser((frame) => {
      if (frame.event === "closed") isOut = frame.data.includes("session has ended");
      else this.#take(frame);
    });
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return isOut ? "signed_out" : "again";
      heard();
      parser.push(decoder.decode(value, { stream: true }));
    }
  }

  #take(frame: Frame): void {
    if (frame.data !== "" && !(frame.id !== null && frame.id === this.cursor && frame.event !== "heartbeat")) {
      const event = JSON.parse(frame.data) as LiveEvent;
      this.on.event(event);
    }
    if (frame.id !== null) this.cursor = frame.id;
  }
}
