//! Real orders: from a bot that has earned it, through the gate, to books that equal the exchange's.
#![allow(clippy::unwrap_used)] // a test says what went wrong by failing

mod common;

use common::*;
use domain::*;
use engine::*;
use risk::KeyState;
use std::collections::BTreeMap;
use std::sync::OnceLock;

const EXCHANGE: Exchange = Exchange::Binance;
const NAME: &str = "earner";
/// Seconds between two looks at the market.
const STEP: i64 = 20;
const DAYS: i64 = 8;

/// Up for half an hour, down for half an hour: a cross of averages earns on it.
fn price(second: i64) -> i64 {
    let within = second % 3_600;
    let up = if within < 1_800 { within } else { 3_600 - within };
    1_000_000 + up * 40
}

struct Market {
    rig: Rig,
    feed: Feed,
    account: AccountId,
    bot: BotId,
    second: i64,
    /// What was said before the test began.
    begun: usize,
}

/// Eight days of paper, once: what a bot that passes the gate looks like in the store.
fn history() -> &'static (Vec<StateRow>, Timestamp, Vec<Output>) {
    static HISTORY: OnceLock<(Vec<StateRow>, Timestamp, Vec<Output>)> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let mut market = begin();
        market.go_on(DAYS * 86_400);
        (market.rig.engine.take_dirty(), market.rig.now, market.rig.out)
    })
}

fn proven() -> Market {
    let (rows, now, _) = history();
    let mut rig = Rig::new(wide());
    rig.now = *now;
    rig.engine = Engine::restore(rig.config.clone(), rows.clone()).unwrap();
    rig.switches(|s| s.live_trading = true);
    measure_clock(&mut rig);
    rig.answer_wants();
    let mut feed = Feed::new(InstrumentId(0));
    (feed.update_id, feed.print_id) = (10_000_000, 10_000_000);
    let second = DAYS * 86_400;
    let mut market = Market { rig, feed, account: AccountId(1), bot: BotId(1), second, begun: 0 };
    // Flat, and with warm averages again.
    market.go_on(3_600);
    while !market.is_flat() {
        market.go_on(STEP);
    }
    market.begun = market.rig.out.len();
    market
}

fn measure_clock(rig: &mut Rig) {
    let (offset_lower, offset_upper) = (Span::from_millis(-20), Span::from_millis(30));
    rig.input(InputKind::Clock { exchange: EXCHANGE, offset_lower, offset_upper });
}

fn begin() -> Market {
    let (mut rig, account) = Rig::funded(wide());
    rig.switches(|s| s.live_trading = true);
    let mut request = bot(NAME, "binance", StrategyKind::EmaCross, r#"{"fast":2,"slow":5}"#);
    request.timeframe = Some(Timeframe::M1);
    let bot = rig.create(account, request).unwrap();
    let feed = Feed::new(rig.engine.instrument_id(EXCHANGE, "BTC/USDT".parse().unwrap()).unwrap());
    Market { rig, feed, account, bot, second: 0, begun: 0 }
}

impl Market {
    fn go_on(&mut self, seconds: i64) {
        for _ in 0..seconds / STEP {
            self.second += STEP;
            let at = price(self.second);
            self.rig.pass(STEP * 1_000);
            let side = |sign: i64| -> Vec<(i64, i64)> {
                (1..=3).map(|n| (at + sign * n * 10, 10_000_000_000)).collect()
            };
            self.feed.book(&mut self.rig, &side(-1), &side(1));
            self.feed.print(&mut self.rig, Side::Buy, at, 1_000);
        }
    }

    fn is_flat(&self) -> bool {
        let view = self.rig.view(self.bot);
        view.position.is_none() && view.open_orders == 0
    }

    fn news(&mut self, news: News) {
        let news = LiveNews { account: self.account, exchange: EXCHANGE, news };
        self.rig.input(InputKind::Live(Box::new(news)));
    }

    fn missing(&self) -> Vec<&'static str> {
        let gate = self.rig.engine.live_gate(self.account, self.bot).unwrap();
        let all = gate.verdict.conditions().iter();
        all.filter(|c| c.is_required && !c.pass).map(|c| c.name).collect()
    }

    fn promote(&mut self, name: &str) -> Result<Reply, CommandError> {
        let (bot, confirmation) = (self.bot, name.to_owned());
        self.rig.order(Some(self.account), Command::Promote { bot, confirmation })
    }

    /// Debits are credits, and wallets are what was posted, over the whole life.
    fn audit(&self) {
        let all: Vec<Output> = history().2.iter().chain(&self.rig.out).cloned().collect();
        audit(&all);
    }

    fn live_trades(&self) -> usize {
        self.rig.trades().iter().filter(|trade| !trade.is_paper).count()
    }

    fn told(&self, action: &str) -> usize {
        let is_it = |o: &&Output| matches!(o, Output::LiveGate(g) if g.action == action);
        self.rig.out.iter().filter(is_it).count()
    }
}

/// An exchange that executes at once, at the touch, and tells of it as the test wants.
#[derive(Default)]
struct Fake {
    money: BTreeMap<Currency, Amount>,
    /// Real orders, by id: how often each came, and whether it was an entry.
    orders: BTreeMap<OrderId, (u32, bool)>,
    trades: u32,
    /// Beyond the touch.
    worse: i64,
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

impl Fake {
    fn with(usdt: &str) -> Self {
        Self { money: [(currency("USDT"), amount(usdt))].into(), ..Self::default() }
    }

    fn balances(&self) -> News {
        News::Balances(self.money.iter().map(|(c, a)| (*c, *a)).collect())
    }

    /// Connects, and says what there is.
    fn open(&self, market: &mut Market) {
        market.news(News::Key(KeyState::Good));
        market.news(self.balances());
        market.news(News::Down(None));
    }

    fn add(&mut self, code: &str, change: Amount) {
        *self.money.entry(currency(code)).or_default() += change;
    }

    /// Carries out what the core wants; what it would say of it, in order.
    fn carry_out(&mut self, market: &mut Market) -> Vec<News> {
        let mut news = Vec::new();
        for action in market.rig.engine.take_live() {
            let LiveAction::Place { order, permit, .. } = action else { continue };
            let intent = *order.intent();
            assert!(permit.covers(&order, market.rig.now).is_ok(), "{intent:?}");
            let seen = self.orders.entry(intent.id).or_default();
            *seen = (seen.0 + 1, permit.is_entry());
            let (mid, quantity) = (price(market.second), intent.quantity);
            let beyond = 10 + self.worse;
            let at = if intent.side == Side::Buy { mid + beyond } else { mid - beyond };
            let (price, base) = (
                Amount::from_scaled(at.into(), 2, Round::Down),
                Amount::from_scaled(quantity.0.into(), 8, Round::Down),
            );
            let half = base.part(1, 2, Round::Down);
            for part in [half, base - half] {
                news.push(self.execute(intent.id, intent.side, price, part));
            }
            let (status, reason) = (OrderStatus::Filled, None);
            let ended = LiveReport::Ended { status, reason, filled: base };
            news.push(News::Order(intent.id, LiveReport::Open));
            news.push(News::Order(intent.id, ended));
        }
        news
    }

    fn execute(&mut self, id: OrderId, side: Side, price: Amount, base: Amount) -> News {
        let quote = price.product(base, Round::Down).unwrap();
        let part = |of: Amount| of.part(1, 1_000, Round::Down);
        let fee = match side {
            Side::Buy => (part(base), currency("BTC")),
            Side::Sell => (part(quote), currency("USDT")),
        };
        let sign = |amount: Amount| if side == Side::Buy { amount } else { -amount };
        self.add("BTC", sign(base));
        self.add("USDT", -sign(quote));
        *self.money.entry(fee.1).or_default() -= fee.0;
        self.trades += 1;
        let execution = LiveExecution {
            trade_id: self.trades.to_string(),
            price,
            quantity: base,
            fees: vec![fee],
            liquidity: Some(Liquidity::Taker),
            at: START,
        };
        News::Order(id, LiveReport::Fill(Box::new(execution)))
    }

    /// A while of trading in which everything is told in order.
    fn trade(&mut self, market: &mut Market, seconds: i64) {
        for _ in 0..seconds / STEP {
            market.go_on(STEP);
            for news in self.carry_out(market) {
                market.news(news);
            }
        }
    }
}

/// What the books say the exchange has.
fn booked(market: &Market) -> BTreeMap<Currency, Amount> {
    let mut sums = BTreeMap::new();
    let portfolio = market.rig.engine.wallets(market.account);
    for wallet in portfolio.into_iter().filter(|w| w.mode == Mode::Live) {
        *sums.entry(wallet.currency).or_insert(Amount::ZERO) += wallet.available;
    }
    let view = market.rig.view(market.bot);
    if view.record.mode == Mode::Live {
        *sums.entry(currency("USDT")).or_default() += view.cash;
        let held = view.position.map_or(Amount::ZERO, |p| p.quantity) + view.dust;
        *sums.entry(currency("BTC")).or_default() += held;
    }
    sums.retain(|_, amount| !amount.is_zero());
    sums
}

fn live() -> (Market, Fake) {
    let (mut market, fake) = (proven(), Fake::with("5000"));
    fake.open(&mut market);
    assert_eq!(market.missing(), ["confirmed_by_a_person"]);
    market.promote(NAME).unwrap();
    assert_eq!(market.rig.view(market.bot).record.mode, Mode::Live);
    (market, fake)
}

#[test]
fn a_proven_bot_trades_real_money_and_the_books_equal_the_exchanges() {
    let (mut market, mut fake) = live();
    assert_eq!(booked(&market), fake.money);
    fake.trade(&mut market, 3 * 3_600);
    let entries = fake.orders.values().filter(|o| o.1).count();
    assert!(entries >= 3 && fake.orders.len() >= 2 * entries - 1, "{:?}", fake.orders);
    assert!(fake.orders.values().all(|(times, _)| *times == 1), "each goes out once");
    assert!(market.live_trades() >= 2);
    while !market.is_flat() {
        fake.trade(&mut market, STEP);
    }
    fake.money.retain(|_, amount| !amount.is_zero());
    assert_eq!(booked(&market), fake.money);
    market.audit();
}

#[test]
fn the_first_day_is_small() {
    let (mut market, mut fake) = live();
    fake.trade(&mut market, 2 * 3_600);
    let most = amount("50.1"); // 1 % of the 5,000 that the exchange has
    let buys = market.rig.fills();
    let buys = buys.iter().filter(|f| f.side == Side::Buy && f.mode == Mode::Live);
    let mut by_order: BTreeMap<OrderId, Amount> = BTreeMap::new();
    for fill in buys {
        *by_order.entry(fill.order_id).or_default() +=
            fill.price.product(fill.quantity, Round::Up).unwrap();
    }
    assert!(!by_order.is_empty() && by_order.values().all(|cost| *cost <= most), "{by_order:?}");
}

#[test]
fn reports_that_come_twice_late_and_in_any_order_give_the_same_books() {
    for seed in 0..30 {
        let (mut market, mut fake) = live();
        let mut dice = Walker(seed + 1);
        let mut waiting: Vec<News> = Vec::new();
        for _ in 0..3 * 3_600 / STEP {
            market.go_on(STEP);
            for news in fake.carry_out(&mut market) {
                waiting.push(news.clone());
                waiting.push(news);
            }
            // Some of what waits comes now, in any order.
            for _ in 0..dice.below(4) {
                if !waiting.is_empty() {
                    let at = dice.below(waiting.len() as u64) as usize;
                    market.news(waiting.swap_remove(at));
                }
            }
        }
        loop {
            while !waiting.is_empty() {
                let at = dice.below(waiting.len() as u64) as usize;
                market.news(waiting.swap_remove(at));
            }
            if market.is_flat() {
                break;
            }
            market.go_on(STEP);
            waiting = fake.carry_out(&mut market);
        }
        fake.money.retain(|_, amount| !amount.is_zero());
        assert_eq!(booked(&market), fake.money, "seed {seed}");
        assert!(fake.orders.values().all(|(times, _)| *times == 1));
        market.audit();
    }
}

struct Walker(u64);

impl Walker {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn without_the_typed_name_or_by_a_rule_nothing_becomes_live() {
    let (mut market, fake) = (proven(), Fake::with("5000"));
    fake.open(&mut market);
    for name in ["", "Earner", "earner "] {
        let refused = market.promote(name).unwrap_err();
        let missing = vec!["confirmed_by_a_person".to_owned()];
        assert_eq!(refused, CommandError::GateClosed { missing });
    }
    let (bot, confirmation) = (market.bot, NAME.to_owned());
    let command = Command::Promote { bot, confirmation };
    let actor = Actor::Rule("autopilot".into());
    let envelope = Envelope { id: 99_999, actor, account: Some(market.account), command };
    market.rig.input(InputKind::Command(envelope));
    assert_eq!(market.rig.view(market.bot).record.mode, Mode::Paper);
}

#[test]
fn a_lost_condition_takes_entries_back_and_traps_no_position() {
    type Lose = fn(&mut Market);
    let losses: [(&str, Lose); 7] = [
        ("key", |m| m.news(News::Key(KeyState::CannotTrade))),
        ("link", |m| m.news(News::Down(Some("gone".to_owned())))),
        ("flag", |m| m.rig.switches(|s| s.live_trading = false)),
        ("trading", |m| m.rig.switches(|s| (s.live_trading, s.trading) = (true, false))),
        ("bodyguard", |m| m.rig.switches(|s| (s.live_trading, s.bodyguard) = (true, false))),
        ("pause", |m| {
            let _ = m.rig.order(Some(m.account), Command::Pause(m.bot)).unwrap();
        }),
        ("stop", |m| {
            let stop = Command::EmergencyStop { reason: "test".to_owned(), sell: false };
            let _ = m.rig.order(Some(m.account), stop).unwrap();
        }),
    ];
    for (name, lose) in losses {
        let (mut market, mut fake) = live();
        while market.rig.view(market.bot).position.is_none() {
            fake.trade(&mut market, STEP);
        }
        lose(&mut market);
        let before = fake.orders.values().filter(|o| o.1).count();
        market.rig.order(Some(market.account), Command::Flatten(market.bot)).unwrap();
        fake.trade(&mut market, 2 * 3_600);
        assert!(market.is_flat(), "{name}: it can be sold");
        let after = fake.orders.values().filter(|o| o.1).count();
        assert_eq!(after, before, "{name}: no entry");
    }
}

#[test]
fn money_that_came_is_external_and_money_that_is_missing_stops_entries() {
    let (mut market, mut fake) = live();
    fake.add("USDT", amount("100"));
    for _ in 0..2 {
        market.news(fake.balances());
        market.rig.pass(1_000);
    }
    assert_eq!(booked(&market), fake.money, "posted once seen twice");
    // More than no bot has is gone: nobody may say that it was not the bots'.
    fake.add("USDT", amount("-200"));
    for _ in 0..2 {
        market.news(fake.balances());
        market.rig.pass(1_000);
    }
    let is_alert = |o: &Output| {
        matches!(o, Output::Alert { alert: Alert::LiveMoneyMissing { missing, .. }, .. }
            if *missing == amount("100"))
    };
    assert_eq!(market.rig.out.iter().filter(|o| is_alert(o)).count(), 1);
    fake.trade(&mut market, 3 * 3_600);
    assert!(fake.orders.is_empty(), "no entry while it is missing");
    fake.add("USDT", amount("100"));
    for _ in 0..2 {
        market.news(fake.balances());
        market.rig.pass(1_000);
    }
    fake.trade(&mut market, 3 * 3_600);
    assert!(!fake.orders.is_empty(), "and again when it is back");
}

#[test]
fn a_demoted_bot_returns_to_paper_once_it_is_flat() {
    let (mut market, mut fake) = live();
    while market.rig.view(market.bot).position.is_none() {
        fake.trade(&mut market, STEP);
    }
    market.rig.order(Some(market.account), Command::Demote(market.bot)).unwrap();
    assert_eq!(market.rig.view(market.bot).record.mode, Mode::Live, "it holds something");
    fake.trade(&mut market, 3_600);
    let view = market.rig.view(market.bot);
    assert_eq!((view.record.mode, view.cash), (Mode::Paper, amount("10000")));
    fake.money.retain(|_, amount| !amount.is_zero());
    assert_eq!(booked(&market), fake.money);
    assert_eq!(
        (market.told("promoted"), market.told("demoted"), market.told("returned")),
        (1, 1, 1)
    );
    market.audit();
}

#[test]
fn paper_and_real_money_have_sums_and_a_curve_of_their_own() {
    let (mut market, _) = live();
    let usdt = |market: &Market, mode| {
        let view = market.rig.engine.portfolio(market.account, mode).unwrap();
        view.currencies.iter().find(|c| c.currency == currency("USDT")).unwrap().equity
    };
    assert_eq!(usdt(&market, Mode::Live), Some(amount("5000")));
    let paper = usdt(&market, Mode::Paper);
    market.rig.order(Some(market.account), Command::Demote(market.bot)).unwrap();
    assert_eq!(usdt(&market, Mode::Paper), paper, "its capital moved within paper");
    let flow = |output: &Output| match output {
        Output::Equity(e) if !e.flow.is_zero() => Some((e.mode, e.flow.is_positive(), e.at)),
        _ => None,
    };
    let flows: Vec<_> = market.rig.out[market.begun..].iter().filter_map(flow).collect();
    let modes: Vec<_> = flows.iter().map(|(mode, came, _)| (*mode, *came)).collect();
    let (paper, live) = (Mode::Paper, Mode::Live);
    assert_eq!(modes, [(paper, false), (live, true), (live, false), (paper, true)]);
    // The store knows points by their time: none may take another's place.
    assert!(flows.windows(2).all(|two| two[0].2 < two[1].2), "{flows:?}");
}

#[test]
fn a_changed_strategy_ends_live_trading() {
    let (mut market, _) = live();
    let strategy = bot("x", "binance", StrategyKind::EmaCross, r#"{"fast":3,"slow":9}"#).strategy;
    let patch = BotPatch { strategy: Some(strategy), ..BotPatch::default() };
    let command = Command::UpdateBot { bot: market.bot, patch };
    market.rig.order(Some(market.account), command).unwrap();
    assert_eq!(market.rig.view(market.bot).record.mode, Mode::Paper);
    assert!(market.missing().contains(&"training"));
}

#[test]
fn an_order_that_was_never_sent_frees_what_it_held() {
    let (mut market, fake) = live();
    let order = loop {
        market.go_on(STEP);
        if let Some(LiveAction::Place { order, .. }) = market.rig.engine.take_live().pop() {
            break order.intent().id;
        }
    };
    let cash = market.rig.view(market.bot).cash;
    let (code, text) = ("NEVER_SENT".to_owned(), "it is not there".to_owned());
    let unknown = LiveReport::Unknown { why: "no answer".to_owned() };
    market.news(News::Order(order, unknown));
    assert_eq!(market.rig.view(market.bot).open_orders, 1, "unknown holds");
    for _ in 0..2 {
        let (code, text) = (code.clone(), text.clone());
        market.news(News::Order(order, LiveReport::Refused { code, text }));
    }
    let view = market.rig.view(market.bot);
    assert_eq!((view.open_orders, view.cash), (0, cash));
    assert_eq!(booked(&market), fake.money);
}

/// A restart knows no key, no balance and no link: nothing enters until they are told anew.
#[test]
fn after_a_restart_nothing_enters_before_the_exchange_was_heard() {
    let (mut market, mut fake) = live();
    while market.rig.view(market.bot).position.is_none() {
        fake.trade(&mut market, STEP);
    }
    let mut rows: BTreeMap<String, StateRow> = BTreeMap::new();
    let changed = market.rig.engine.take_dirty();
    for row in history().0.iter().cloned().chain(changed) {
        rows.insert(row.key.clone(), row);
    }
    let rows = rows.into_values().collect();
    market.rig.engine = Engine::restore(market.rig.config.clone(), rows).unwrap();
    market.rig.switches(|s| s.live_trading = true);
    market.rig.answer_wants();
    assert!(market.missing().contains(&"exchange_key"));
    let entries = fake.orders.values().filter(|o| o.1).count();
    fake.trade(&mut market, 2 * 3_600);
    assert!(market.is_flat(), "its exits go on");
    assert_eq!(fake.orders.values().filter(|o| o.1).count(), entries);
    fake.open(&mut market);
    fake.trade(&mut market, 2 * 3_600);
    assert_eq!(fake.orders.values().filter(|o| o.1).count(), entries, "its clock was not heard");
    let refused = market.rig.refusals().last().unwrap().refusal.clone();
    assert_eq!(refused, Refusal::ClockUnknown { exchange: EXCHANGE });
    measure_clock(&mut market.rig);
    fake.trade(&mut market, 2 * 3_600);
    assert!(fake.orders.values().filter(|o| o.1).count() > entries);
    assert!(fake.orders.values().all(|(times, _)| *times == 1), "each goes out once");
}

/// What the fuzz believes of the world, apart from the core.
#[derive(Clone, Copy, Debug)]
struct Believed {
    trading: bool,
    live: bool,
    bodyguard: bool,
    key: bool,
    link: bool,
    stopped: bool,
    paused: bool,
}

impl Believed {
    const fn may_enter(&self) -> bool {
        self.trading
            && self.live
            && self.bodyguard
            && self.key
            && self.link
            && !self.stopped
            && !self.paused
    }
}

/// Commands, flags, keys, links and money at random: an entry leaves only while every condition
/// holds. `AMARKTAI_GATE_FUZZ=1000000 cargo test --release -p engine --test live fuzz` takes more.
#[test]
fn fuzz_no_entry_leaves_while_a_condition_is_missing() {
    let steps = std::env::var("AMARKTAI_GATE_FUZZ").ok().and_then(|n| n.parse().ok());
    let steps: u64 = steps.unwrap_or(20_000);
    let (mut market, mut fake) = live();
    let mut dice = Walker(7);
    let mut now = Believed {
        trading: true,
        live: true,
        bodyguard: true,
        key: true,
        link: true,
        stopped: false,
        paused: false,
    };
    let (mut entries, mut lives) = (0_u32, 1_u32);
    for step in 0..steps {
        let is_on = dice.below(8) > 0;
        let (account, bot) = (Some(market.account), market.bot);
        match dice.below(60) {
            0 => now.trading = is_on,
            1 => now.live = is_on,
            2 => now.bodyguard = is_on,
            3 => {
                now.key = is_on;
                let bad = [KeyState::Absent, KeyState::Untested, KeyState::CannotTrade];
                let bad = [bad[0], bad[1], bad[2], KeyState::CanWithdraw];
                let key = if is_on { KeyState::Good } else { bad[dice.below(4) as usize] };
                market.news(News::Key(key));
            }
            4 => {
                now.link = is_on;
                market.news(News::Down((!is_on).then(|| "fuzz".to_owned())));
            }
            5 if is_on => {
                let _ = market.rig.order(account, Command::ClearEmergencyStop);
                now.stopped = false;
            }
            5 => {
                let stop = Command::EmergencyStop { reason: "fuzz".to_owned(), sell: false };
                let scope = if dice.below(2) == 0 { account } else { None };
                market.rig.order(scope, stop).unwrap();
                now.stopped = true;
                if scope.is_none() {
                    // The fleet's is cleared apart.
                    market.rig.order(None, Command::ClearEmergencyStop).unwrap();
                    market.rig.order(account, Command::ClearEmergencyStop).unwrap();
                    now.stopped = false;
                }
                now.paused = true;
            }
            6 => {
                let command = if is_on { Command::Resume(bot) } else { Command::Pause(bot) };
                if market.rig.order(account, command).is_ok() {
                    now.paused = !is_on;
                }
            }
            7 => {
                let command = if is_on {
                    Command::Start(bot)
                } else {
                    Command::Stop { bot, positions: StopChoice::KeepGuarding }
                };
                let _ = market.rig.order(account, command);
            }
            8 => drop(market.rig.order(account, Command::Flatten(bot))),
            9 if !is_on => drop(market.rig.order(account, Command::Demote(bot))),
            9 | 10 => {
                let is_new = market.promote(NAME).is_ok();
                lives += u32::from(is_new);
                assert!(!is_new || now.may_enter(), "{now:?}");
            }
            11 => {
                // Somebody pays in, or takes out what no bot has, and now and then more.
                let sum = Amount::from_int(dice.below(300) as i64);
                fake.add("USDT", if is_on { sum } else { -sum });
            }
            12..=13 => {
                for _ in 0..2 {
                    let told = fake.balances();
                    market.news(told);
                    market.rig.pass(600);
                }
            }
            _ => market.go_on(STEP),
        }
        let Believed { trading, live, bodyguard, .. } = now;
        market.rig.switches(|s| {
            (s.trading, s.live_trading, s.bodyguard) = (trading, live, bodyguard);
        });
        let before = fake.orders.values().filter(|o| o.1).count();
        let told = fake.carry_out(&mut market);
        let new = fake.orders.values().filter(|o| o.1).count() - before;
        assert!(new == 0 || now.may_enter(), "step {step}: {now:?}");
        entries += new as u32;
        for news in told {
            market.news(news);
        }
        market.rig.out.clear();
        market.rig.inputs.clear();
    }
    println!("{steps} steps, {lives} times live, {entries} entries");
    assert!(entries > 0 && lives > 1, "{entries} entries, {lives} times live");
    assert!(fake.orders.values().all(|(times, _)| *times == 1), "each goes out once");
}

#[test]
fn a_real_orders_shadow_says_how_wrong_paper_was_and_touches_no_book() {
    let (mut market, mut fake) = live();
    fake.trade(&mut market, 3 * 3_600);
    while !market.is_flat() {
        fake.trade(&mut market, STEP);
    }
    let shadow = market.rig.view(market.bot).shadow.unwrap();
    assert_eq!(shadow.so_far.sent, fake.orders.len() as u64);
    assert_eq!(shadow.so_far.compared, shadow.so_far.sent);
    assert_eq!(shadow.so_far.alike, shadow.so_far.sent);
    // Both at the touch: what is left are fees, rounded.
    assert!(shadow.worse_bp.unwrap().abs() < amount("0.1"), "{shadow:?}");
    fake.money.retain(|_, amount| !amount.is_zero());
    assert_eq!(booked(&market), fake.money, "no shadow is in the books");

    // An exchange that gives each order ten ticks less than the touch.
    fake.worse = 100;
    let before = shadow.so_far;
    fake.trade(&mut market, 3 * 3_600);
    let after = market.rig.view(market.bot).shadow.unwrap().so_far;
    let worse = Shadowed {
        value: after.value - before.value,
        worse: after.worse - before.worse,
        ..Shadowed::default()
    };
    // A hundred of a million and something.
    let bp = worse.worse_bp().unwrap();
    assert!(amount("0.9") < bp && bp < amount("1.1"), "{worse:?} {bp}");
}

#[test]
fn what_a_gap_hid_is_not_compared() {
    let (mut market, mut fake) = live();
    while fake.orders.is_empty() {
        market.go_on(STEP);
        let news = fake.carry_out(&mut market);
        if !fake.orders.is_empty() {
            let (id, event) = (InstrumentId(0), MarketEvent::Gap { from: market.rig.now });
            market.rig.input(InputKind::Market { instrument: id, event });
        }
        news.into_iter().for_each(|news| market.news(news));
    }
    market.go_on(STEP);
    let shadow = market.rig.view(market.bot).shadow.unwrap();
    assert_eq!((shadow.so_far.sent, shadow.so_far.compared), (1, 0));
    assert_eq!(shadow.worse_bp, None);
}

#[test]
fn a_live_day_that_lost_too_much_stops_live_entries_until_a_person_closes_it() {
    for (scope, of) in
        [("account_live", BreakerScope::AccountLive), ("fleet_live", BreakerScope::FleetLive)]
    {
        let (mut market, mut fake) = live();
        let limit = |is_it: bool| if is_it { amount("0.01") } else { amount("100") };
        let policy = Policy {
            breaker_account_day_percent: limit(scope == "account_live"),
            breaker_fleet_day_percent: limit(scope == "fleet_live"),
            ..wide()
        };
        market.rig.order(None, Command::SetPolicy(Box::new(policy))).unwrap();
        let is_open = |market: &Market| {
            let all = market.rig.engine.breakers(market.account);
            let paper = all.iter().filter(|b| !b.scope.ends_with("_live"));
            assert!(paper.into_iter().all(|b| !b.is_open), "paper lost nothing: {all:?}");
            all.into_iter().any(|b| b.scope == scope && b.is_open)
        };
        // Two of a hundred, at each order.
        fake.worse = 20_000;
        while !is_open(&market) {
            fake.trade(&mut market, STEP);
        }
        let entries = |fake: &Fake| fake.orders.values().filter(|o| o.1).count();
        let before = entries(&fake);
        // Over the end of the day, and a restart.
        fake.trade(&mut market, 30 * 3_600);
        let rows = market.rig.engine.take_dirty();
        assert!(is_open(&market) && entries(&fake) == before && market.is_flat(), "{rows:?}");
        assert!(market.rig.view(market.bot).doing.contains("a person closes it"));
        let target = Some(market.account).filter(|_| scope == "account_live");
        market.rig.order(target, Command::CloseBreaker(of)).unwrap();
        fake.worse = 0;
        fake.trade(&mut market, 3 * 3_600);
        assert!(entries(&fake) > before, "{}", market.rig.view(market.bot).doing);
    }
}
