import { describe, expect, it } from "vitest";
import { figureOf, limitOf, progressOf } from "../../src/lib/gate";
import { heldOn } from "../../src/lib/compare";
import { bytes, quality } from "../../src/lib/format";
import { heat, titleOf, type Sweep } from "../../src/lib/study";

const ranked = (place: number[], unseen_score: number | null, profit: string) => ({ place, unseen_score, profit, variant: place.join(), first_score: null, trades: 1, confidence: { probability: null, deflated: null, variants: 1 } });
const sweep = (rows: ReturnType<typeof ranked>[]): Sweep =>
  ({ space: { axes: [{ name: "fast", values: ["3", "6"] }, { name: "slow", values: ["15", "20"] }, { name: "timeframe", values: ["1m", "5m"] }] }, ranking: { score: "sharpe", ranked: rows } }) as unknown as Sweep;

describe("a heat map", () => {
  it("averages the axes that are not shown and leaves holes where nothing was run", () => {
    const map = heat(sweep([ranked([0, 1, 0], 1, "9"), ranked([0, 1, 1], 3, "9"), ranked([1, 0, 0], null, "9")]), 0, 1);
    expect(map?.isProfit).toBe(false);
    expect(map?.cells).toEqual([[null, { score: 2, count: 2 }], [null, null]]);
  });
  it("is of profit where no variant has a score", () => {
    const map = heat(sweep([ranked([0, 0, 0], null, "-2"), ranked([1, 0, 0], null, "4")]), 0, null);
    expect(map).toMatchObject({ isProfit: true, cells: [[{ score: -2, count: 1 }], [{ score: 4, count: 1 }]] });
  });
});

describe("the live gate in words", () => {
  const of = (name: string, figure: string | null, limit: string) => ({ name, figure, limit, pass: false, is_required: true });
  it("names money with its currency, flags as yes and no, and what is not known as a dash", () => {
    expect(figureOf(of("net_profit", "-5.5", "above 0"), "USDT")).toBe("-5.50 USDT");
    expect(limitOf(of("wallet_funded", null, "at least 5"), "USDT")).toBe("at least 5.00 USDT");
    expect(figureOf(of("trading_enabled", "false", "true"), "USDT")).toBe("no");
    expect(figureOf(of("evidence", null, "80 %"), "USDT")).toBe("–");
    expect(limitOf(of("evidence", null, "80 %"), "USDT")).toBe("at least 80 %");
  });
  it("tells how far days, trades and evidence are, and of nothing else", () => {
    expect(progressOf(of("training", "5.2", "7 covered days"))).toBeCloseTo(5.2 / 7);
    expect(progressOf(of("evidence", null, "80 %"))).toBe(0);
    expect(progressOf(of("drawdown", "3 %", "at most 15 %"))).toBeNull();
  });
});

describe("holding a coin", () => {
  it("begins at nothing where the bots' line begins", () => {
    const at = (s: number) => new Date(s * 1000).toISOString();
    const points = [{ at: at(0), percent: 0 }, { at: at(900), percent: 10 }, { at: at(1800), percent: 21 }];
    expect(heldOn([600, 1500], points).map((v) => v && Math.round(v))).toEqual([0, 10]);
    expect(heldOn([0], [])).toEqual([null]);
  });
});

describe("small words", () => {
  it("turns codes and counts into what people read", () => {
    expect([quality("l2_trades"), quality(null), bytes(63_882_870_784), bytes(812)]).toEqual(["book and trades", "–", "63.9 GB", "812 bytes"]);
    expect(titleOf("ema_cross 5m, BTC/USDT on binance")).toBe("EMA cross 5m, BTC/USDT on binance");
  });
});
