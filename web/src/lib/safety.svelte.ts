// The emergency stop and the alerts: what every page shows.

import { get, post, remove, query, type Shapes } from "./api";
import { live } from "./live.svelte";
import { time } from "./format";
import type { LiveEvent } from "./stream";

type Stop = Shapes["EmergencyStop"];
export type Scope = "account" | "fleet";

/** Events that a person should look at. */
export const ALERTS = [
  "alert",
  "risk_stop",
  "circuit_breaker",
  "emergency_stop",
  "self_healing",
  "bot_paused",
  "live_gate",
] as const;
const SEEN = "amarktai.alerts.seen";

class Safety {
  stop_of = $state<Record<Scope, Stop | null>>({ account: null, fleet: null });
  unseen = $state(0);
  #offs: (() => void)[] = [];

  /** The one in force: the fleet's is above the account's. */
  get stop(): Stop | null {
    const { fleet, account } = this.stop_of;
    return fleet?.active ? fleet : account;
  }

  get sentence(): string {
    const stop = this.stop;
    if (!stop?.active) return "";
    const who = actor(stop.by);
    const reason = stop.reason ? `: ${stop.reason}` : "";
    return `since ${time(stop.since)}${who ? ` by ${who}` : ""}${reason}.`;
  }

  start(): void {
    void this.read();
    this.#offs = [
      live.on(["emergency_stop"], () => void this.read()),
      live.on(ALERTS, (events) => {
        this.unseen += events.filter((event) => isAlert(event)).length;
      }),
    ];
  }

  end(): void {
    this.#offs.forEach((off) => off());
  }

  async read(): Promise<void> {
    for (const scope of ["account", "fleet"] as const) {
      try {
        this.stop_of[scope] = await get<Stop>(`/api/emergency-stop${query({ scope })}`);
      } catch {
        // The banner of the connection says it.
      }
    }
  }

  async pull(scope: Scope, sell: boolean, reason: string): Promise<void> {
    const body = { reason: reason.trim() || "pulled on the dashboard", sell };
    this.stop_of[scope] = await post<Stop>(`/api/emergency-stop${query({ scope })}`, body);
  }

  async clear(scope: Scope): Promise<void> {
    this.stop_of[scope] = await remove<Stop>(`/api/emergency-stop${query({ scope })}`);
  }

  seen(): void {
    this.unseen = 0;
    localStorage.setItem(SEEN, new Date().toISOString());
  }
}

export function actor(by: unknown): string {
  if (by && typeof by === "object") {
    if ("person" in by) return String(by.person);
    if ("rule" in by) return `rule ${String(by.rule)}`;
  }
  return "";
}

/** A pause that a person ordered is no news to people. */
export function isAlert(event: LiveEvent): boolean {
  if (!(ALERTS as readonly string[]).includes(event.type)) return false;
  if (event.type !== "bot_paused") return true;
  return !actor(event.data.actor) || actor(event.data.actor).startsWith("rule");
}

export const safety = new Safety();
