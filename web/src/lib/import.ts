// Bots from CSV or JSON. What the server would refuse is left to the server; what cannot be read
// is said here with its line.

export interface NewBot {
  name: string;
  exchange: string;
  symbol: string;
  strategy: { kind: string; params?: Record<string, unknown> };
  capital: string;
  [more: string]: unknown;
}

export interface Line {
  number: number;
  body: NewBot | null;
  problem: string | null;
}

/** Bots of one file. */
export const LINES_MAX = 500;
const REQUIRED = ["name", "exchange", "symbol", "strategy", "capital"];
const TEXTS = ["timeframe", "risk_mode"];

export function parseBots(text: string): Line[] {
  const lines = /^\s*[[{]/.test(text) ? fromJson(text) : fromCsv(text);
  if (lines.length <= LINES_MAX) return lines;
  const problem = `more than ${LINES_MAX} lines; cut the file`;
  return [...lines.slice(0, LINES_MAX), { number: LINES_MAX + 1, body: null, problem }];
}

function fromJson(text: string): Line[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return [{ number: 1, body: null, problem: `no JSON: ${(error as Error).message}` }];
  }
  const list = Array.isArray(parsed) ? parsed : [parsed];
  return list.map((value: unknown, i) => {
    const missing = REQUIRED.filter((key) => !(value && typeof value === "object" && key in value));
    if (missing.length > 0) return { number: i + 1, body: null, problem: `missing: ${missing.join(", ")}` };
    return { number: i + 1, body: value as NewBot, problem: null };
  });
}

function fromCsv(text: string): Line[] {
  const rows = csv(text).filter(({ cells }) => cells.some((cell) => cell.trim() !== ""));
  const [head, ...rest] = rows;
  const names = head?.cells.map((cell) => cell.trim().toLowerCase()) ?? [];
  const missing = REQUIRED.filter((key) => !names.includes(key));
  if (missing.length > 0) {
    return [{ number: 1, body: null, problem: `the first line lacks: ${missing.join(", ")}` }];
  }
  return rest.map(({ cells, number }) => line(names, cells, number));
}

function line(names: string[], cells: string[], number: number): Line {
  const values = Object.fromEntries(names.map((name, i) => [name, cells[i]?.trim() ?? ""]));
  const empty = REQUIRED.filter((key) => values[key] === "");
  if (empty.length > 0) return { number, body: null, problem: `empty: ${empty.join(", ")}` };
  const strategy: NewBot["strategy"] = { kind: values.strategy ?? "" };
  if (values.params) {
    try {
      strategy.params = JSON.parse(values.params) as Record<string, unknown>;
    } catch {
      return { number, body: null, problem: "params is no JSON" };
    }
  }
  const body: NewBot = {
    name: values.name ?? "",
    exchange: values.exchange ?? "",
    symbol: values.symbol ?? "",
    strategy,
    capital: values.capital ?? "",
  };
  for (const key of TEXTS) if (values[key]) body[key] = values[key];
  return { number, body, problem: null };
}

/** RFC 4180: quotes double inside quotes, lines may break inside them. */
export function csv(text: string): { cells: string[]; number: number }[] {
  const rows: { cells: string[]; number: number }[] = [];
  let cells: string[] = [];
  let cell = "";
  let isQuoted = false;
  let number = 1;
  let start = 1;
  const end = () => {
    cells.push(cell);
    rows.push({ cells, number: start });
    cells = [];
    cell = "";
    start = number;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "\n") number += 1;
    if (isQuoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') (cell += '"'), i++;
      else isQuoted = false;
    } else if (c === '"') isQuoted = true;
    else if (c === ",") {
      cells.push(cell);
      cell = "";
    } else if (c === "\n") end();
    else if (c !== "\r") cell += c;
  }
  if (cell !== "" || cells.length > 0) end();
  return rows;
}
