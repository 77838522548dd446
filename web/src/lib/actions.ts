// What people order of bots, one or many, and how it is told.

import { post, problemOf, type Bot } from "./api";
import { bots } from "./bots.svelte";
import { toasts } from "./toasts.svelte";

export type Action = "start" | "pause" | "resume" | "stop" | "retire" | "rearm" | "flatten";

interface Words {
  /** On the button. */
  label: string;
  done: string;
  /** Asked first, where it moves money or ends something. */
  ask?: string;
}

export const ACTIONS: Record<Action, Words> = {
  start: { label: "Start", done: "started" },
  pause: { label: "Pause", done: "paused" },
  resume: { label: "Resume", done: "resumed" },
  stop: { label: "Stop …", done: "stopped" },
  retire: {
    label: "Archive …",
    done: "archived",
    ask: "Archived bots never trade again; their history stays. A bot must be stopped and hold nothing.",
  },
  rearm: {
    label: "Re-arm …",
    done: "re-armed",
    ask: "The bodyguard or the execution throttle stopped it: look why first. Re-arming is recorded; what it counted, and its peak, start anew.",
  },
  flatten: {
    label: "Sell position …",
    done: "sold",
    ask: "Its position is sold now at what the market gives.",
  },
};

/** Which of them make sense for a bot as it is. */
export function possible(bot: Bot): Action[] {
  const list: Action[] = [];
  if (bot.lifecycle === "stopped") list.push("start");
  if (bot.lifecycle === "active") {
    list.push(bot.holds.includes("USER_PAUSED") || bot.holds.includes("EMERGENCY_STOP") ? "resume" : "pause", "stop");
  }
  if (bot.holds.includes("RISK_STOP") || bot.holds.includes("EXECUTION_THROTTLE")) list.push("rearm");
  if (bot.position) list.push("flatten");
  if (bot.lifecycle === "stopped" && !bot.position) list.push("retire");
  return list;
}

/** Orders at once; more would queue up in the server. */
const AT_ONCE = 4;

/** Orders it of each and says what came of it. */
export async function order(action: Action, ids: readonly number[], body?: unknown): Promise<void> {
  const waiting = [...ids];
  let done = 0;
  const refused: string[] = [];
  const worker = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      const name = bots.byId.get(id)?.name ?? `bot ${id}`;
      try {
        bots.put(await post<Bot>(`/api/bots/${id}/${action}`, body));
        done += 1;
      } catch (error) {
        refused.push(`${name}: ${problemOf(error).message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, ids.length) }, worker));
  const word = ACTIONS[action].done;
  if (done > 0) toasts.say(ids.length === 1 ? `${name(ids[0])} ${word}.` : `${done} bots ${word}.`);
  for (const reason of refused.slice(0, 3)) toasts.say(`Not ${word}: ${reason}`, "bad");
  if (refused.length > 3) toasts.say(`… and ${refused.length - 3} more were refused.`, "bad");
}

function name(id: number | undefined): string {
  return (id !== undefined && bots.byId.get(id)?.name) || "The bot";
}
