//! What the pre-trade checks cost alone: from an order wished for to an approval or a refusal.
//!
//! The market stands still while they are asked, some thousand times between two looks at the
//! clock: a look costs next to nothing of that. Nothing is sent, so each ask finds the same.

use crate::rig::Rig;
use crate::tape::{START, Tape};
use crate::wait::{Played, open, trade};
use domain::{
    BotId, DataGrade, OrderKind, Price, Quantity, Refusal, Span, StrategyKind, Timeframe,
};

const SYMBOL: &str = "BTC/USDT";
const TARGET_NS: f64 = 2_000.0;
/// Averages that cross at almost every print.
const BUSY: &str = r#"{"fast":2,"slow":3}"#;
/// Asks between two looks at the clock, which may be a tick of the system late: 4 ms, of 100 or more.
const ASKS: usize = 250_000;
/// The best of so many counts: a neighbour on the machine only adds.
const ROUNDS: usize = 5;
/// Twenty of the quote currency at the tape's price: what the bots' own entries cost.
const QUANTITY: Quantity = Quantity(33_000);
/// Ten of the quote currency at the lowest price of the bot with real money.
const LIVE: Quantity = Quantity(100_000);
const LIVE_ASKS: usize = 50_000;
/// More than any bot has money for.
const TOO_MUCH: Quantity = Quantity(800_000_000_000);

/// An order that is asked about.
struct Ask {
    name: &'static str,
    kind: OrderKind,
    quantity: Quantity,
    is_approved: bool,
}

const ASKED: [Ask; 3] = [
    Ask { name: "market entry", kind: OrderKind::Market, quantity: QUANTITY, is_approved: true },
    Ask {
        name: "resting entry",
        kind: OrderKind::Limit { price: Price(5_900_000), post_only: true },
        quantity: QUANTITY,
        is_approved: true,
    },
    Ask { name: "refusal", kind: OrderKind::Market, quantity: TOO_MUCH, is_approved: false },
];

/// Nanoseconds of each ask.
type Costs = [f64; ASKED.len()];

pub(crate) fn run(prints: usize) {
    println!("pre-trade checks of one order, in ns, target {TARGET_NS:.0}:");
    let names: Vec<&str> = ASKED.iter().map(|ask| ask.name).collect();
    println!("  {:56} {}", "", names.join(", "));
    let alone = measure(prints, 0);
    let beside = measure(prints, 10_000);
    let ratios = |of: &Costs, to: &Costs| -> String {
        let ratio = |at: usize| format!("{:.2}", of[at] / to[at]);
        (0..ASKED.len()).map(ratio).collect::<Vec<_>>().join(", ")
    };
    println!(
        "  after the orders over before them, beside 10000: {}",
        ratios(&beside[2], &beside[0])
    );
    println!("  beside 10000 bots over alone: {}", ratios(&beside[2], &alone[2]));
    let worst = beside.iter().flatten().fold(0.0, |a: f64, b| a.max(*b));
    live();
    println!("  dearest beside 10000 bots: {worst:.0} ns, {:.2} of the target", worst / TARGET_NS);
}

/// One bot asks: before all orders, while those of the others are on their way, and after many.
fn measure(prints: usize, beside: usize) -> [Costs; 3] {
    let mut rig = Rig::new(1_000);
    let id = rig.market(SYMBOL, DataGrade::L2Trades);
    let tape = Tape::new(43, Span::from_millis(1));
    open(&mut rig, id, &tape);
    let mut market: Played = (id, tape, 1);
    trade(&mut rig, &mut market, None);
    let asking = rig.bot(SYMBOL, StrategyKind::EmaCross, BUSY, Timeframe::Trade);
    let bots: Vec<BotId> = (0..beside).map(|bot| neighbour(&mut rig, bot)).collect();
    let first = told(&mut rig, asking, &format!("{beside} bots beside it, none has ordered"));
    let crowd = close_a_bar(&mut rig, &mut market, beside);
    let crowded = told(&mut rig, asking, &format!("{crowd} orders of theirs on their way"));
    let before = rig.sink.orders;
    for _ in 0..prints {
        trade(&mut rig, &mut market, None);
    }
    rig.flush();
    let what = format!("{} orders later", rig.sink.orders - before);
    let last = told(&mut rig, asking, &what);
    if beside > 0 {
        in_turn(&mut rig, &bots);
    }
    [first, crowded, last]
}

/// The same for a bot with real money, whose entries ask the live gate besides.
fn live() {
    let mut rig = Rig::new(1_000);
    let bot = crate::earner::promoted(&mut rig);
    let ask =
        Ask { name: "live entry", kind: OrderKind::Market, quantity: LIVE, is_approved: true };
    let alone = cost(&mut rig, bot, &ask, LIVE_ASKS);
    for bot in 0..10_000 {
        neighbour(&mut rig, bot);
    }
    let beside = cost(&mut rig, bot, &ask, LIVE_ASKS);
    println!("  real money, market entry: alone {alone:.0}, beside 10000 bots {beside:.0}");
}

/// A bot that has orders at prices of its own, or a position under a stop, once a bar has closed.
fn neighbour(rig: &mut Rig, bot: usize) -> BotId {
    let (kind, params) = match bot % 2 {
        0 => {
            let range = 10.0 + (bot % 3_000) as f64 / 1_000.0;
            (StrategyKind::Grid, format!(r#"{{"range_percent":"{range:.3}","levels":4}}"#))
        }
        _ => {
            let deviation = 8.0 + (bot % 1_999) as f64 / 1_000.0;
            let order = r#""safety_orders":1,"target_percent":20"#;
            (StrategyKind::Dca, format!(r#"{{"deviation_percent":"{deviation:.3}",{order}}}"#))
        }
    };
    rig.bot(SYMBOL, kind, &params, Timeframe::M15)
}

/// Goes on until a bar closes and the neighbours have just sent their orders; says how many.
fn close_a_bar(rig: &mut Rig, market: &mut Played, beside: usize) -> u64 {
    let mut at = START;
    for _ in 0..70 {
        at = at + Span::from_secs(30);
        let before = rig.sink.orders;
        trade(rig, market, Some(at));
        rig.flush();
        let sent = rig.sink.orders - before;
        if sent >= beside as u64 {
            return sent;
        }
    }
    panic!("{beside} neighbours did not order when their bar closed");
}

/// Measures and prints the asks as things are.
fn told(rig: &mut Rig, bot: BotId, when: &str) -> Costs {
    let costs = [0, 1, 2].map(|at| cost(rig, bot, &ASKED[at], ASKS));
    println!("  {when:56} {:.0}, {:.0}, {:.0}", costs[0], costs[1], costs[2]);
    costs
}

/// The best round.
fn cost(rig: &mut Rig, bot: BotId, ask: &Ask, asks: usize) -> f64 {
    let round = |_| {
        let cpu = crate::cpu_ns();
        for _ in 0..asks {
            let checked = rig.try_entry(bot, ask.kind, ask.quantity);
            assert_eq!(is_approved(&checked), ask.is_approved, "{}: {checked:?}", ask.name);
        }
        (crate::cpu_ns() - cpu) / asks as f64
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// Every neighbour asks once, one after the other: what it has is seldom in a cache.
fn in_turn(rig: &mut Rig, bots: &[BotId]) {
    let (mut approved, rounds) = (0, ASKS / bots.len());
    let mut round = |_| {
        let cpu = crate::cpu_ns();
        for bot in bots.iter().cycle().take(bots.len() * rounds) {
            let checked = rig.try_entry(*bot, OrderKind::Market, QUANTITY);
            approved += usize::from(is_approved(&checked));
        }
        (crate::cpu_ns() - cpu) / (bots.len() * rounds) as f64
    };
    let best = (0..ROUNDS).map(&mut round).fold(f64::INFINITY, f64::min);
    let approved = approved / (rounds * ROUNDS);
    let when = format!("each neighbour in turn, {approved} of them approved");
    println!("  {when:56} {best:.0}");
}

fn is_approved(checked: &Option<Result<(), Refusal>>) -> bool {
    matches!(checked, Some(Ok(())))
}
