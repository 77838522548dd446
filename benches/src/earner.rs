//! A bot that has earned real money: eight days of paper in a market that goes up for half an hour and
//! down for half an hour, a key, a wallet, and a person who says so.

use crate::rig::Rig;
use crate::tape::START;
use domain::{
    Amount, BookUpdate, BotId, DataGrade, Exchange, FeedState, InstrumentId, Level, MarketEvent,
    Price, Print, Quantity, Side, Span, StrategyKind, Timeframe,
};
use engine::{Command, InputKind, LiveNews, News, Switches};
use risk::KeyState;

/// Where it trades.
pub(crate) const SYMBOL: &str = "BTC/USDT";
/// Seconds between two looks at the market.
const STEP: i64 = 20;
const DAYS: i64 = 8;
const CLOCK: Span = Span::from_millis(20);

/// Promotes a bot; the market is fresh and the bot may enter.
pub(crate) fn promoted(rig: &mut Rig) -> BotId {
    let id = rig.market(SYMBOL, DataGrade::L2Trades);
    rig.apply(InputKind::Switches(Switches { live_trading: true, ..Switches::default() }));
    let (exchange, zero) = (Exchange::Binance, Span(0));
    let (offset_lower, offset_upper) = (Span(zero.0 - CLOCK.0), CLOCK);
    rig.apply(InputKind::Clock { exchange, offset_lower, offset_upper });
    let params = r#"{"fast":2,"slow":5}"#;
    let bot = rig.bot(SYMBOL, StrategyKind::EmaCross, params, Timeframe::M1);
    let mut second = 0;
    while second < DAYS * 86_400 || !is_flat(rig, bot) {
        second += STEP;
        look(rig, id, second);
    }
    rig.flush();
    let money = ("USDT".parse().expect("a currency"), Amount::from_int(1_000_000));
    for news in [News::Key(KeyState::Good), News::Balances(vec![money]), News::Down(None)] {
        let news = LiveNews { account: rig.account, exchange, news };
        rig.apply(InputKind::Live(Box::new(news)));
    }
    let account = Some(rig.account);
    let view = rig.engine.bot(account, bot).expect("it was made");
    rig.order(account, Command::Promote { bot, confirmation: view.record.config.name });
    bot
}

fn is_flat(rig: &Rig, bot: BotId) -> bool {
    let view = rig.engine.bot(Some(rig.account), bot).expect("it was made");
    view.position.is_none() && view.open_orders == 0
}

/// A book around the price of this second, and a print.
fn look(rig: &mut Rig, id: InstrumentId, second: i64) {
    let within = second % 3_600;
    let mid = 1_000_000 + 40 * if within < 1_800 { within } else { 3_600 - within };
    let at = START + Span::from_secs(second);
    let side = |sign: i64| -> Vec<Level> {
        let level =
            |n| Level { price: Price(mid + sign * n * 10), quantity: Quantity(10_000_000_000) };
        (1..=3).map(level).collect()
    };
    let fresh = MarketEvent::Feed { state: FeedState::Fresh, grade: DataGrade::L2Trades };
    rig.event(id, at, fresh);
    let book = BookUpdate {
        is_snapshot: true,
        update_id: second.unsigned_abs(),
        at: None,
        requested_at: None,
        bids: side(-1),
        asks: side(1),
    };
    rig.event(id, at, MarketEvent::Book(book));
    let print = Print {
        id: (second / STEP).unsigned_abs(),
        price: Price(mid),
        quantity: Quantity(1_000),
        taker_side: Side::Buy,
        at,
        backfilled: false,
    };
    rig.print(id, &print);
}
