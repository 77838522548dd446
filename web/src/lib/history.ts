// The stored events, read forward page by page as the API gives them.

import type { LiveEvent } from "./stream";

/** Pages of 500: more is for the command line. */
export const PAGES_MAX = 40;
/** Kept of what was read. */
export const KEPT_MAX = 2_000;

interface Page {
  items: LiveEvent[];
  next: string | null;
}

/** The newest events that could be reached, oldest first. */
export async function history(read: (after: string | null) => Promise<Page>): Promise<LiveEvent[]> {
  let kept: LiveEvent[] = [];
  let after: string | null = null;
  for (let i = 0; i < PAGES_MAX; i++) {
    const page: Page = await read(after);
    kept = [...kept, ...page.items].slice(-KEPT_MAX);
    const last: string | null = page.items.at(-1)?.cursor ?? null;
    if (last === null || page.items.length < 500) break;
    after = page.next ?? last;
  }
  return kept;
}
