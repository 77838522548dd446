//! The supervision pass visits few bots; what it does is what visiting all of them does.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::{Feed, Rig, amount, binance, bot, config, kucoin, wide};
use domain::*;
use engine::{BotPatch, BreakerScope, Command, Engine, Input, InputKind, Output};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

const MID: i64 = 1_000_000;

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A market moves by so many basis points, with so wide a spread, and so much time passes.
    Move {
        market: usize,
        bp: i64,
        half: i64,
        ms: i64,
    },
    /// Prices are fetched late while the feed is stale.
    Late {
        market: usize,
        bp: i64,
    },
    Stale(usize),
    Wait(i64),
    Order(usize, u8),
    Account(usize, u8),
    Bodyguard(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let moved = (0..3usize, -250i64..250, 1i64..40, 0i64..25_000)
        .prop_map(|(market, bp, half, ms)| Step::Move { market, bp, half, ms });
    let wide = (0..3usize, 20_000i64..80_000, 0i64..25_000)
        .prop_map(|(market, half, ms)| Step::Move { market, bp: 0, half, ms });
    let step = prop_oneof![
        30 => moved,
        2 => wide,
        2 => (0..3usize, -250i64..250).prop_map(|(market, bp)| Step::Late { market, bp }),
        2 => (0..3usize).prop_map(Step::Stale),
        2 => prop_oneof![Just(5_000i64), Just(60_000), Just(600_000), Just(50_000_000)]
            .prop_map(Step::Wait),
        6 => (0..16usize, 0..11u8).prop_map(|(bot, what)| Step::Order(bot, what)),
        2 => (0..2usize, 0..8u8).prop_map(|(account, what)| Step::Account(account, what)),
        1 => any::<bool>().prop_map(Step::Bodyguard),
    ];
    prop::collection::vec(step, 10..50)
}

/// Limits that bind often; a bot's breaker before its drawdown, which has a trigger of its own.
fn tight() -> Policy {
    let percent = Amount::from_int;
    Policy {
        drawdown_max_percent_balanced: percent(3),
        drawdown_max_percent_aggressive: percent(2),
        breaker_bot_percent: amount("0.5"),
        breaker_account_day_percent: percent(3),
        breaker_fleet_day_percent: percent(3),
        daily_loss_max_percent: percent(2),
        asset_exposure_max_percent: percent(40),
        exchange_exposure_max_percent: percent(60),
        ..wide()
    }
}

struct World {
    rig: Rig,
    feeds: Vec<Feed>,
    mids: Vec<i64>,
    accounts: Vec<AccountId>,
    bots: Vec<(AccountId, BotId)>,
}

impl World {
    fn new() -> Self {
        let mut rig = Rig::with(config(tight(), 50.0));
        let markets = [binance("BTC/USDT"), kucoin("ETH/USDT"), binance("SOL/EUR")];
        let ids: Vec<_> = markets.iter().map(|i| rig.define(i)).collect();
        // Without it nobody enters: the accounts' money is in two currencies.
        let [base, quote] = ["EUR", "USDT"].map(|code| code.parse().unwrap());
        let (rate, source) = (amount("1.1"), "test".to_owned());
        rig.input(InputKind::Rate { base, quote, rate, source });
        let mut world = Self {
            feeds: ids.into_iter().map(Feed::new).collect(),
            mids: vec![MID; 3],
            accounts: vec![rig.account("one"), rig.account("two")],
            bots: vec![],
            rig,
        };
        for account in world.accounts.clone() {
            for (exchange, currency) in [
                (Exchange::Binance, "USDT"),
                (Exchange::Kucoin, "USDT"),
                (Exchange::Binance, "EUR"),
            ] {
                world.rig.deposit(account, exchange, currency, "60000").unwrap();
            }
        }
        (0..3).for_each(|market| world.quote(market, 0, 5));
        for account in world.accounts.clone() {
            world.create(account);
        }
        world
    }

    fn create(&mut self, account: AccountId) {
        use StrategyKind::{Dca, EmaCross, Grid, MarketMaking};
        let dca = r#"{"deviation_percent":1,"safety_orders":2,"target_percent":4}"#;
        let kinds = [
            (EmaCross, r#"{"fast":2,"slow":3}"#, Timeframe::Trade),
            (Dca, dca, Timeframe::Trade),
            (Dca, dca, Timeframe::S5),
            (Grid, r#"{"range_percent":3,"levels":4}"#, Timeframe::M1),
            (MarketMaking, r#"{"min_spread_bp":0,"max_entries":2}"#, Timeframe::Trade),
        ];
        let markets = [("binance", "BTC/USDT"), ("kucoin", "ETH/USDT"), ("binance", "SOL/EUR")];
        for (n, (kind, params, timeframe)) in kinds.into_iter().enumerate() {
            let (exchange, symbol) = markets[n % 3];
            let mut new = bot(&format!("bot {}", self.bots.len()), exchange, kind, params);
            new.symbol = symbol.parse().unwrap();
            new.timeframe = Some(timeframe);
            new.sizing = Some(Sizing::PercentOfEquity(amount("30")));
            if let Ok(id) = self.rig.create(account, new) {
                self.bots.push((account, id));
            }
        }
    }

    fn quote(&mut self, market: usize, bp: i64, half: i64) {
        let mid = (self.mids[market] * (10_000 + bp) / 10_000).clamp(MID / 4, MID * 4);
        self.mids[market] = mid;
        let half = half.min(mid / 2);
        let side = |sign: i64| -> Vec<(i64, i64)> {
            (0..6).map(|n| (mid + sign * (half + n), 100_000_000_000)).collect()
        };
        let feed = &mut self.feeds[market];
        feed.book(&mut self.rig, &side(-1), &side(1));
        feed.print(&mut self.rig, if bp > 0 { Side::Buy } else { Side::Sell }, mid, 5_000_000);
    }

    fn late(&mut self, market: usize, bp: i64) {
        let feed = &mut self.feeds[market];
        feed.stale(&mut self.rig);
        feed.print_id += 1;
        self.mids[market] = self.mids[market] * (10_000 + bp) / 10_000;
        let print = Print {
            id: feed.print_id,
            price: Price(self.mids[market]),
            quantity: Quantity(10_000_000),
            taker_side: Side::Sell,
            at: self.rig.now,
            backfilled: true,
        };
        self.rig.market(feed.id, MarketEvent::Print(print));
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Move { market, bp, half, ms } => {
                self.quote(market, bp, half);
                self.rig.pass(ms);
            }
            Step::Late { market, bp } => self.late(market, bp),
            Step::Stale(market) => self.feeds[market].stale(&mut self.rig),
            Step::Wait(ms) => {
                self.rig.now = self.rig.now + Span::from_millis(ms);
                self.rig.pass(1_000);
            }
            Step::Order(bot, what) => self.order(bot, what),
            Step::Account(account, what) => self.account(account, what),
            Step::Bodyguard(is_on) => self.rig.switches(|s| s.bodyguard = is_on),
        }
    }

    fn order(&mut self, bot: usize, what: u8) {
        let (account, bot) = self.bots[bot % self.bots.len()];
        let patch = |risk_mode, timeframe| BotPatch { risk_mode, timeframe, ..Default::default() };
        let command = match what {
            0 => Command::Stop { bot, positions: StopChoice::KeepGuarding },
            1 => Command::Stop { bot, positions: StopChoice::Sell },
            2 => Command::Start(bot),
            3 => Command::Pause(bot),
            4 => Command::Resume(bot),
            5 => Command::Rearm(bot),
            6 => Command::Flatten(bot),
            7 => Command::Retire(bot),
            8 => Command::CloseBreaker(BreakerScope::Bot(bot)),
            9 => Command::UpdateBot { bot, patch: patch(Some(RiskMode::Aggressive), None) },
            _ => Command::UpdateBot { bot, patch: patch(None, Some(Timeframe::S15)) },
        };
        // Refused where it does not fit: that is one more thing that can happen.
        let _ = self.rig.order(Some(account), command);
        self.rig.answer_wants();
    }

    fn account(&mut self, account: usize, what: u8) {
        let id = self.accounts[account];
        let breaker = amount("0.2");
        let scope = (what != 4).then_some(id);
        let command = match what {
            0 => Command::NewSeason,
            1 => Command::EmergencyStop { reason: "test".to_owned(), sell: false },
            2 => Command::ClearEmergencyStop,
            3 => Command::CloseBreaker(BreakerScope::Account),
            4 => Command::CloseBreaker(BreakerScope::Fleet),
            5 => Command::SetPolicy(Box::new(Policy { breaker_bot_percent: breaker, ..tight() })),
            6 => Command::SetPolicy(Box::new(Policy { spread_collar_bp: 5, ..tight() })),
            _ => return self.create(id),
        };
        let _ = self.rig.order(scope, command);
        self.rig.answer_wants();
    }
}

/// Every case is a fleet's day: some tell as much as many small ones.
fn few() -> ProptestConfig {
    let failure_persistence = None;
    ProptestConfig { cases: 24, max_shrink_iters: 60, failure_persistence, ..Default::default() }
}

/// What a run of both engines told that hangs on a visit.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    fills: usize,
    breakers: usize,
    stops: usize,
}

impl Seen {
    fn add(&mut self, told: &[Output]) {
        for output in told {
            match output {
                Output::Fill(_) => self.fills += 1,
                Output::Breaker(b) if b.bot_id.is_some() && b.tripped => self.breakers += 1,
                Output::RiskStop(r) if r.stopped => self.stops += 1,
                _ => {}
            }
        }
    }
}

#[test]
fn visiting_few_does_what_visiting_all_does() {
    let seen = std::cell::Cell::new(Seen::default());
    let mut runner =
        TestRunner::new_with_rng(few(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let run = runner.run(&steps(), |steps| {
        let mut world = World::new();
        steps.iter().for_each(|step| world.take(step));
        world.rig.pass(20_000);
        let inputs: Vec<Input> = std::mem::take(&mut world.rig.inputs);
        let (mut few, mut all) =
            (Engine::new(world.rig.config.clone()), Engine::new(world.rig.config.clone()));
        let (mut told, mut expected) = (Vec::new(), Vec::new());
        let mut counted = seen.get();
        for input in &inputs {
            few.apply(input, &mut told);
            all.forget_visits();
            all.apply(input, &mut expected);
            prop_assert_eq!(&told, &expected, "{:?}", input);
            prop_assert_eq!(few.take_dirty(), all.take_dirty());
            counted.add(&told);
            told.clear();
            expected.clear();
        }
        seen.set(counted);
        Ok(())
    });
    run.unwrap();
    let seen = seen.get();
    assert!(seen.fills > 100 && seen.breakers > 10 && seen.stops > 3, "says little: {seen:?}");
}
