// Curves of several bots on one scale: percent since the first moment that all have in common.
// For pixels; the table beside has the API's own figures.

export interface Point {
  at: string;
  equity: string | null;
  flow: string;
}
export interface Series {
  label: string;
  points: Point[];
}

const STRIDE_S = 300;

/** Times in seconds and one line a series; a gap is `null`. */
export function joined(series: Series[]): { times: number[]; lines: (number | null)[][] } {
  const starts = series.map((s) => s.points.find((p) => p.equity !== null)?.at).filter((at) => at !== undefined);
  if (series.length === 0 || starts.length < series.length) return { times: [], lines: [] };
  const from = Math.max(...starts.map((at) => Date.parse(at))) / 1000;
  const stride = (at: string) => Math.floor(Date.parse(at) / 1000 / STRIDE_S) * STRIDE_S;
  const times = [...new Set(series.flatMap((s) => s.points.map((p) => stride(p.at))))]
    .filter((t) => t + STRIDE_S > from)
    .sort((a, b) => a - b);
  const lines = series.map((s) => {
    const units = earned(s.points, from);
    const at = new Map(units.map(([time, value]) => [stride(time), value]));
    return times.map((t) => at.get(t) ?? null);
  });
  return { times, lines };
}

/** A unit's gain in percent at each known point since `from`: flows are neither gain nor loss. */
function earned(points: Point[], from: number): [string, number][] {
  const list: [string, number][] = [];
  let before: number | null = null;
  let flowed = 0;
  let unit = 1;
  for (const p of points) {
    flowed += Number(p.flow);
    if (p.equity === null) continue;
    const equity = Number(p.equity);
    if (before !== null && before > 0) unit *= Math.max(0, (equity - flowed) / before);
    before = equity;
    flowed = 0;
    // The unit begins at the common start, whatever was before.
    if (Date.parse(p.at) / 1000 <= from) unit = 1;
    list.push([p.at, (unit - 1) * 100]);
  }
  return list;
}

export interface Held {
  at: string;
  percent: number;
}

/** A coin's gain on the same times, since the first of them; before its first price it is `null`. */
export function heldOn(times: number[], points: Held[]): (number | null)[] {
  let [next, last, base] = [0, null as number | null, null as number | null];
  return times.map((time) => {
    for (; next < points.length && Date.parse(points[next]!.at) / 1000 <= time + STRIDE_S; next++) last = points[next]!.percent;
    if (last === null) return null;
    base ??= last;
    return ((1 + last / 100) / (1 + base / 100) - 1) * 100;
  });
}
