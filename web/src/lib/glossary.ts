// Words for traders. Definitions of statistics are those of docs/statistics.md.

export interface Entry {
  word: string;
  means: string;
}

export const GLOSSARY: Record<string, Entry> = {
  equity: {
    word: "Equity",
    means: "Money that is free, plus what positions would bring if they were sold at the best bid now. A position without a usable price makes it unknown.",
  },
  drawdown: {
    word: "Drawdown",
    means: "How far equity is below its highest value so far, in percent. Deposits and withdrawals are no gain and no loss.",
  },
  net_profit: {
    word: "Net profit",
    means: "What closed trades made after the fees of both legs.",
  },
  unrealized: {
    word: "Open profit",
    means: "What open positions would make if they were sold at the best bid now, before the fee of that sale.",
  },
  win_rate: { word: "Win rate", means: "Share of closed trades with a profit after fees." },
  profit_factor: {
    word: "Profit factor",
    means: "Sum of all wins divided by the sum of all losses. Above 1 it earned. Undefined without a loss.",
  },
  expectancy: { word: "Expectancy", means: "Mean net profit of a trade." },
  sharpe: {
    word: "Sharpe",
    means: "Mean of daily returns over their standard deviation, times √365; risk-free rate 0. Needs some days of data.",
  },
  sortino: {
    word: "Sortino",
    means: "As Sharpe, but only losing days count as risk.",
  },
  calmar: {
    word: "Calmar",
    means: "Yearly growth divided by the largest drawdown.",
  },
  sqn: {
    word: "SQN",
    means: "√n × mean / standard deviation of the profits of trades.",
  },
  score: {
    word: "Score",
    means: "SQN of the trades that count since the bot's strategy was set. It grows with the sample, so a lucky few do not beat a steady many; −1 is one standard error below nothing.",
  },
  max_drawdown: {
    word: "Largest drawdown",
    means: "The deepest fall of equity from a peak, money moved in or out not counted.",
  },
  sharpe_probability: {
    word: "Sure it is not luck",
    means: "Probability that the true Sharpe ratio is above zero, given so few or many days of data.",
  },
  sharpe_probability_deflated: {
    word: "…after all variants",
    means: "The same, corrected for every variant that was ever tried in this account: the best of many looks good by chance.",
  },
  grade: {
    word: "Data quality",
    means: "How much of the market was seen, best first: every order; book and trades; best prices and trades; asked now and then; trades alone; bars alone; fetched later; with a gap.",
  },
  good_days: {
    word: "Days of good data",
    means: "Days on which the feed was fresh and the bot armed at least 95 % of the time. Live trading needs seven of them.",
  },
  sure_fill: {
    word: "Sure fill",
    means: "A fill that the market showed: the price traded through, or the queue ahead was served.",
  },
  possible_fill: {
    word: "Possible fill",
    means: "What a resting order might have got if it had stood first in the queue. Shown as an upper bound, never booked.",
  },
  blocked_order: {
    word: "Blocked order",
    means: "An order that our own limits did not let out. The exchange never saw it.",
  },
  rejected_order: { word: "Rejected order", means: "An order that the exchange refused." },
  spread: {
    word: "Spread",
    means: "Distance of the best ask from the best bid, in basis points (hundredths of a percent) of the middle.",
  },
  slippage: {
    word: "Slippage",
    means: "What fills cost against the middle price at the moment of the decision.",
  },
  maker: { word: "Maker", means: "An order that waited in the book. Usually the lower fee." },
  taker: { word: "Taker", means: "An order that took what was in the book at once." },
  queue: {
    word: "Queue ahead",
    means: "How much stood before our resting order at its price when it joined.",
  },
  capital: {
    word: "Capital",
    means: "Money of a wallet that is given to a bot. It comes back when the bot is archived.",
  },
  available: { word: "Available", means: "Money of a wallet that no bot has." },
  reserved: {
    word: "With bots",
    means: "Given to bots: their cash, what their open orders hold, and their positions at cost.",
  },
  fresh: {
    word: "Fresh",
    means: "The feed lives and nothing is missing in it. Only fresh prices are traded on.",
  },
  stale: {
    word: "Stale",
    means: "The feed is silent, crossed or late. No entry and no fill comes from it until it is fresh.",
  },
  hold: {
    word: "Hold",
    means: "A reason why a bot may not open positions. Holds add up; each is released only by its own rule. Exits go on.",
  },
  bodyguard: {
    word: "Bodyguard",
    means: "Watches each bot's fall from its peak and stops entries where a limit is passed.",
  },
  breaker: {
    word: "Circuit breaker",
    means: "Stops new entries of a bot, an account or the fleet after a large loss within a UTC day.",
  },
  risk_mode: {
    word: "Risk mode",
    means: "Safe, balanced, risky or aggressive: how much of its equity a bot may have in a position, and how far it may fall.",
  },
  round_trip: {
    word: "Round trip",
    means: "Buying and selling again: two fees and the spread.",
  },
  break_even: {
    word: "Break-even win rate",
    means: "The share of winning trades at which target and stop, after the costs of a round trip, leave nothing.",
  },
  season: {
    word: "Season",
    means: "A fresh start: positions closed, capital returned, history kept. The count of variants tried goes on.",
  },
  lag: {
    word: "Lag",
    means: "How far the trading core is behind what it was told.",
  },
  notional: { word: "Order value", means: "Price times quantity." },
  optimistic: {
    word: "Possible fill",
    means: "Quantity that would have been filled with nobody ahead in the queue: an upper bound.",
  },
  live_gate: {
    word: "Live gate",
    means: "Every condition that must hold before a bot may touch real money.",
  },
  variants: {
    word: "Variants tried",
    means: "Bots ever created in this account: each is a chance to look good by luck.",
  },
  unguarded: {
    word: "Unguarded",
    means: "A position whose stop cannot be watched now, as its feed gives no usable price.",
  },
};
