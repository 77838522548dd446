import { describe, expect, test } from "vitest";
import { compare, grouped, rounded, shown, sign, trimmed } from "../../src/lib/decimal";
import { age, amount, exact, money, percent, ratio, signed, time, UNKNOWN, words } from "../../src/lib/format";
import { shareTexts } from "../../src/lib/share";

describe("decimal texts", () => {
  test("are rounded half away from zero without a float", () => {
    const table: [string, number, string][] = [
      ["1.005", 2, "1.01"],
      ["-1.005", 2, "-1.01"],
      ["0.999", 2, "1.00"],
      ["123456789012345.123456789012", 12, "123456789012345.123456789012"],
      ["9007199254740993.5", 0, "9007199254740994"],
      ["-0.001", 2, "0.00"],
      ["5", 2, "5.00"],
    ];
    for (const [text, places, expected] of table) expect(rounded(text, places), text).toBe(expected);
  });

  test("agree with a naive model of whole numbers", () => {
    // Every thousandth from -2 to 2 by integers, which cannot err.
    for (let n = -2000; n <= 2000; n++) {
      const text = `${n < 0 ? "-" : ""}${Math.floor(Math.abs(n) / 1000)}.${String(Math.abs(n) % 1000).padStart(3, "0")}`;
      const cents = Math.floor((Math.abs(n) + 5) / 10);
      const digits = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
      expect(rounded(text, 2), text).toBe(n < 0 && cents > 0 ? `-${digits}` : digits);
      expect(sign(text), text).toBe(Math.sign(n) + 0);
    }
  });

  test("that are small are not shown as nothing", () => {
    expect(shown("0.00012345", 2)).toBe("0.00012");
    expect(shown("-0.004", 2)).toBe("-0.004");
    expect(shown("0", 2)).toBe("0.00");
  });

  test("are grouped, trimmed and compared exactly", () => {
    expect(grouped("-1234567.5")).toBe("-1,234,567.5");
    expect(trimmed("10.500")).toBe("10.5");
    expect(trimmed("100")).toBe("100");
    expect(compare("0.1", "0.10")).toBe(0);
    expect(compare("123456789012345.000000000001", "123456789012345")).toBe(1);
    expect(compare("-2", "1")).toBe(-1);
  });
});

describe("figures", () => {
  test("that are unknown are a dash and never zero", () => {
    for (const text of [amount(null), money(undefined, "ZAR"), signed(null), exact(null), percent(null), age(null), time(null)]) {
      expect(text).toBe(UNKNOWN);
    }
  });

  test("carry currency and sign", () => {
    expect(money("1234.5", "ZAR")).toBe("1,234.50 ZAR");
    expect(signed("3.1", "USDT")).toBe("+3.10");
    expect(signed("-3.1", "USDT")).toBe("−3.10");
    expect(amount("0.5", "BTC")).toBe("0.50000000");
    expect(percent("20.456")).toBe("20.46 %");
    expect(shareTexts("0.001")).toBe("0.1 %");
    expect(shareTexts("0.0075")).toBe("0.75 %");
    expect(shareTexts("1")).toBe("100 %");
  });

  test("rounded to nothing have no sign", () => {
    expect([ratio(-0.01, 1), percent(-0.001), ratio(-0.06, 1)]).toEqual(["0.0", "0.00 %", "-0.1"]);
  });

  test("of time grow coarser with age", () => {
    expect([5_000, 99_000, 120_000, 7_200_000, 259_200_000].map((ms) => age(ms))).toEqual(["5 s", "99 s", "2 min", "2 h", "3 d"]);
    expect(words("ema_cross")).toBe("EMA cross");
  });
});
