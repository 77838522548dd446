//! Real answers against the shapes that the OpenAPI document promises.

use crate::common::{Server, problem};
use domain::{
    AccountId, Actor, Amount, Book, BotConfig, BotId, DataGrade, Exchange, ExitReason, Exits,
    FeedState, FillId, FillRecord, Hold, InstrumentStatus, Lifecycle, Liquidity, Mode, OrderId,
    OrderPurpose, OrderRecord, OrderStatus, Posting, Rate, Refusal, RiskMode, Side, Sizing, Span,
    StrategyConfig, StrategyKind, TimeInForce, Timeframe, Timestamp, Trade, TradeDraft, TradeId,
    Transfer, TransferReason,
};
use engine::view::{
    BarView, BookView, BotView, CurrencyView, EvaluationView, HoldView, LevelView, MarketView,
    PortfolioView, PositionView, ShadowView, WalletView,
};
use engine::{
    AccountRecord, BotChange, BotRecord, DecisionRecord, EmergencyRecord, EquityRecord, Output,
    RefusalRecord, Shadowed,
};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

const AT: Timestamp = Timestamp(1_700_000_000_000_000_000);

fn n(units: i64) -> Amount {
    Amount::from_int(units)
}

fn order_id() -> OrderId {
    OrderId { bot: BotId(7), seq: 1 }
}

fn bot() -> BotRecord {
    BotRecord {
        id: BotId(7),
        account_id: AccountId(1),
        config: BotConfig {
            name: "seven".into(),
            exchange: "luno".into(),
            symbol: "BTC/ZAR".parse().unwrap(),
            strategy: StrategyConfig { kind: StrategyKind::EmaCross, params: Default::default() },
            timeframe: Timeframe::M1,
            risk_mode: RiskMode::Safe,
            capital: n(1_000),
            sizing: Some(Sizing::PercentOfEquity(n(10))),
            exits: Exits { stop_percent: Some(n(2)), ..Exits::default() },
            managed: false,
        },
        mode: Mode::Paper,
        lifecycle: Lifecycle::Active,
        holds: [Hold::UserPaused].into_iter().collect(),
        season: 1,
        created_at: AT,
        updated_at: AT,
    }
}

fn order() -> OrderRecord {
    OrderRecord {
        id: order_id(),
        account_id: AccountId(1),
        bot_id: BotId(7),
        exchange: Exchange::Luno,
        symbol: "BTC/ZAR".parse().unwrap(),
        mode: Mode::Paper,
        side: Side::Sell,
        purpose: OrderPurpose::Exit(ExitReason::Stop),
        limit_price: Some(n(100)),
        post_only: false,
        time_in_force: TimeInForce::Ioc,
        quantity: n(1),
        filled: n(1),
        average_price: Some(n(100)),
        status: OrderStatus::Filled,
        reject_code: None,
        cancel_reason: None,
        created_at: AT,
        updated_at: AT,
    }
}

fn fill() -> FillRecord {
    FillRecord {
        id: FillId { bot: BotId(7), seq: 1 },
        order_id: order_id(),
        account_id: AccountId(1),
        bot_id: BotId(7),
        exchange: Exchange::Luno,
        symbol: "BTC/ZAR".parse().unwrap(),
        mode: Mode::Paper,
        side: Side::Sell,
        price: n(100),
        quantity: n(1),
        fee: n(1),
        fee_currency: "ZAR".parse().unwrap(),
        liquidity: Liquidity::Taker,
        grade: DataGrade::Polled,
        book_update_id: 5,
        print_id: None,
        queue_ahead_at_join: None,
        optimistic_filled: None,
        round_trip: Span::from_millis(60),
        at: AT,
    }
}

fn trade(seq: u32) -> Trade {
    let draft = TradeDraft {
        id: TradeId { bot: BotId(7), seq },
        success: true,
        account_id: AccountId(1),
        symbol: "BTC/ZAR".parse().unwrap(),
        exchange: Exchange::Luno,
        mode: Mode::Paper,
        entry_notional: n(110),
        exit_notional: n(100),
        amount: n(1),
        fees: n(2),
        fees_base: Amount::ZERO,
        fees_quote: n(2),
        dust_cost: Amount::ZERO,
        slippage: None,
        entry_at: Some(AT),
        exit_at: Some(AT),
        exit_reason: Some(ExitReason::Stop),
        strategy: StrategyKind::EmaCross,
        grade: Some(DataGrade::Polled),
        reporting_rate: Some(n(1)),
        reporting_currency: "ZAR".parse().unwrap(),
        rate_source: Some("luno, \"mid\"".into()),
        rate_age_s: Some(0),
    };
    draft.complete().unwrap()
}

fn decision() -> DecisionRecord {
    DecisionRecord {
        order_id: order_id(),
        account_id: AccountId(1),
        bot_id: BotId(7),
        bid: Some(n(99)),
        ask: Some(n(101)),
        mid: Some(n(100)),
        values: [Some(1.5), None].into_iter().collect(),
        reason: "the stop was reached".into(),
        checks_passed: 20,
        policy_version: 1,
        at: AT,
    }
}

fn refusal() -> RefusalRecord {
    RefusalRecord {
        seq: 1,
        account_id: AccountId(1),
        bot_id: BotId(7),
        exchange: Exchange::Luno,
        symbol: "BTC/ZAR".parse().unwrap(),
        side: Side::Buy,
        refusal: Refusal::SpreadTooWide { spread_bp: 84.0, collar_bp: 40 },
        also: vec![Refusal::NotFresh { state: "stale".into() }],
        policy_version: 1,
        count: 3,
        first_at: AT,
        last_at: AT,
    }
}

fn deposit() -> Transfer {
    let currency = "ZAR".parse().unwrap();
    let posting = |book, amount| Posting { book, currency, amount };
    Transfer {
        seq: 1,
        account_id: AccountId(1),
        mode: Mode::Paper,
        exchange: Exchange::Luno,
        reason: TransferReason::Deposit,
        postings: [posting(Book::External, n(-50)), posting(Book::Available, n(50))]
            .into_iter()
            .collect(),
        at: AT,
    }
}

/// A point of the bot's equity: the first of a day.
fn point(day: i64, equity: &str, flow: &str) -> Output {
    Output::Equity(EquityRecord {
        account_id: AccountId(1),
        bot_id: BotId(7),
        mode: Mode::Paper,
        exchange: Exchange::Luno,
        currency: "ZAR".parse().unwrap(),
        equity: Some(equity.parse().unwrap()),
        flow: flow.parse().unwrap(),
        at: AT.day() + Span::from_secs(day * 86_400),
    })
}

async fn seeded() -> Server {
    let server = Server::start().await;
    let change = BotChange {
        record: bot(),
        event: Some(domain::EventKind::BotCreated),
        actor: Actor::Person("tom".into()),
        reason: "made".into(),
        hold: None,
    };
    let account = AccountRecord {
        id: AccountId(1),
        name: "main".into(),
        reporting_currency: "ZAR".parse().unwrap(),
        season: 1,
        created_at: AT,
    };
    let mut outputs = vec![
        Output::Account(account),
        Output::Bot(change),
        Output::Order(order()),
        Output::Decision(decision()),
        Output::Fill(fill()),
        Output::Refusal(refusal()),
        Output::Transfer(deposit()),
    ];
    outputs.extend((1..=3).map(|seq| Output::Trade(trade(seq))));
    let days = [("1000", "1000"), ("1100", "0"), ("1045", "0"), ("1045", "0")];
    outputs.extend((0..).zip(days).map(|(day, (equity, flow))| point(day, equity, flow)));
    server.commit(outputs).await;
    server
}

/// Holds a value against a schema of the document; says where it does not fit.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#'));
        return check(document, target.ok_or(format!("{at}: no {name}"))?, value, at);
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(options) = schema[word].as_array() {
            let tried: Vec<_> = options.iter().map(|o| check(document, o, value, at)).collect();
            let fits = tried.iter().any(Result::is_ok);
            return if fits { Ok(()) } else { Err(format!("{at}: none of {tried:?}")) };
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return if words.contains(value) { Ok(()) } else { Err(format!("{at}: {value}")) };
    }
    let is_of_type = match schema["type"].as_str() {
        Some("object") => return check_object(document, schema, value, at),
        Some("array") => {
            let items = value.as_array().ok_or(format!("{at}: {value} is no list"))?;
            let check = |(i, item)| check(document, &schema["items"], item, &format!("{at}[{i}]"));
            return items.iter().enumerate().try_for_each(check);
        }
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    };
    if is_of_type { Ok(()) } else { Err(format!("{at}: {value} is no {}", schema["type"])) }
}

fn check_object(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let map = value.as_object().ok_or(format!("{at}: {value} is no object"))?;
    for required in schema["required"].as_array().into_iter().flatten() {
        let key = required.as_str().unwrap();
        map.get(key).ok_or(format!("{at}: {key} is missing"))?;
    }
    for (key, value) in map {
        match schema["properties"].get(key) {
            Some(schema) => check(document, schema, value, &format!("{at}.{key}"))?,
            None if schema["additionalProperties"] == false => {
                return Err(format!("{at}: {key} is not in the document"));
            }
            None => {}
        }
    }
    Ok(())
}

pub(crate) fn fits(name: &str, value: &impl Serialize) {
    let document = server::document();
    let value = serde_json::to_value(value).unwrap();
    let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
    check(&document, &schema, &value, name).unwrap();
}

#[tokio::test]
async fn every_get_answers_in_the_promised_shape() {
    every_get_fits(&seeded().await, 7).await;
}

/// Asks every GET of the document about this bot.
pub(crate) async fn every_get_fits(server: &Server, bot: u32) {
    let document = server::document();
    let trade = u64::from(TradeId { bot: BotId(7), seq: 1 });
    let mut answered = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(operation) = item.get("get") else { continue };
        if path.starts_with("/api/realtime") {
            continue;
        }
        let id = if path.starts_with("/api/trades") { trade } else { u64::from(bot) };
        let asked = path.replace("{id}", &id.to_string()).replace("{exchange}", "luno");
        let asked = asked.replace("{pair}", "BTC-ZAR");
        let response = server.get(&asked, Some(&server.admin)).await;
        let status = response.status();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let content = match &operation["responses"][status.as_str()] {
            Value::Null => &operation["responses"]["default"]["content"],
            found => &found["content"],
        };
        let essence = kind.split(';').next().unwrap();
        let schema = content.get(essence).unwrap_or_else(|| panic!("{path}: {status} {kind}"));
        if essence.ends_with("json") {
            let body: Value = response.json().await.unwrap();
            check(&document, &schema["schema"], &body, path).unwrap();
        }
        answered += usize::from(status == StatusCode::OK);
    }
    assert!(answered >= 20, "{answered} routes answered 200");
}

#[tokio::test]
async fn stored_rows_come_with_their_figures_and_only_to_their_account() {
    let server = seeded().await;
    let get = async |path: &str| -> Value {
        server.get(path, Some(&server.viewer)).await.json().await.unwrap()
    };
    let page = get("/api/trades?limit=2&is_paper=true").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(page["items"][0]["profit_loss"], "-12");
    let next = format!("/api/trades?limit=2&after={}", page["next"].as_str().unwrap());
    let rest = get(&next).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let none = get("/api/trades?from=2030-01-01T00:00:00Z").await;
    assert_eq!(none["items"], json!([]));
    let id = u64::from(TradeId { bot: BotId(7), seq: 1 });
    let why = get(&format!("/api/trades/{id}/explain")).await;
    assert_eq!(why["decisions"][0]["reason"], "the stop was reached");
    assert_eq!(get("/api/orders").await["items"][0]["client_order_id"], "amk-7-1");
    assert_eq!(get("/api/refusals").await["items"][0]["refusal"]["code"], "SPREAD_TOO_WIDE");
    assert_eq!(get("/api/ledger").await["items"].as_array().unwrap().len(), 2);
    let summed = get("/api/ledger?balance=true").await;
    for posting in summed["items"].as_array().unwrap() {
        assert_eq!(posting["balance"], posting["amount"], "the only one in its place: {posting}");
    }
    let performance = get("/api/performance?period=all").await;
    assert_eq!(performance["by_currency"][0]["statistics"]["net_profit"], "-36");
    let figures = &performance["by_bot"][0]["statistics"];
    assert_eq!(figures, &performance["by_currency"][0]["statistics"]);
    assert_eq!((&figures["days"], &figures["days_unknown"]), (&json!(4), &json!(0)));
    assert_eq!(figures["max_drawdown"], "55");
    for (name, expected) in [("total_return", 0.045), ("max_drawdown_percent", 5.0)] {
        let found = figures[name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{name} = {found}");
    }
    for undefined in figures["undefined"].as_array().unwrap() {
        let metric = undefined["metric"].as_str().unwrap();
        assert_eq!(figures[metric], Value::Null, "{metric} has a figure and a reason");
        assert!(!["sharpe", "sortino", "calmar"].contains(&metric), "{undefined}");
    }
    let day = get("/api/performance?period=day").await;
    assert_eq!(day["by_currency"], json!([]), "nothing that old");

    let admin = Some(server.admin.as_str());
    let body = json!({ "name": "other", "role": "trader", "account_id": 2 });
    let refused = server.post("/api/tokens", admin, &body).await;
    problem(refused, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    let stranger = server.token("stranger", server::Role::Trader, AccountId(2)).await;
    for path in [format!("/api/trades/{id}"), format!("/api/trades/{id}/explain")] {
        let response = server.get(&path, Some(&stranger)).await;
        problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
    for path in ["/api/trades", "/api/orders", "/api/fills", "/api/ledger", "/api/events"] {
        let page: Value = server.get(path, Some(&stranger)).await.json().await.unwrap();
        assert_eq!(page["items"], json!([]), "{path}");
    }
}

#[tokio::test]
async fn csv_has_every_trade_once_and_is_quoted() {
    let server = seeded().await;
    let many = (4..=1_200).map(|seq| Output::Trade(trade(seq)));
    server.commit(many.collect()).await;
    let response = server.get("/api/trades.csv", Some(&server.viewer)).await;
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let text = response.text().await.unwrap();
    let lines: Vec<&str> = text.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 1_201);
    assert!(lines[0].starts_with("id,status,success,"));
    assert!(
        lines[1].contains(",-12,") && lines[1].contains("\"luno, \"\"mid\"\"\""),
        "{}",
        lines[1]
    );
    let mut ids: Vec<&str> = lines[1..].iter().map(|l| l.split(',').next().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1_200);
}

#[test]
fn the_cores_views_fit_the_document() {
    let position = PositionView {
        account_id: AccountId(1),
        bot_id: BotId(7),
        exchange: Exchange::Luno,
        symbol: "BTC/ZAR".parse().unwrap(),
        mode: Mode::Paper,
        quantity: n(1),
        average_entry_price: n(1),
        cost: n(1),
        mark_price: None,
        value: None,
        unrealized_pnl: None,
        stop_price: Some(n(1)),
        target_price: None,
        trail_price: None,
        opened_at: AT,
        unguarded_since: Some(AT),
    };
    fits("Position", &position);
    let view = BotView {
        record: bot(),
        state: "paused",
        doing: "Paused by you.".into(),
        cash: n(1),
        equity: None,
        equity_peak: n(1),
        drawdown_percent: None,
        realized_pnl: n(1),
        unrealized_pnl: None,
        fees_paid: n(1),
        position: Some(position),
        dust: n(0),
        open_orders: 0,
        trades: 1,
        wins: 0,
        entries_today: 0,
        refusals_today: 0,
        rearms_today: 0,
        executions_in_window: 0,
        last_decision_at: None,
        shadow: Some(ShadowView { so_far: Shadowed::default(), worse_bp: None }),
    };
    fits("Bot", &view);
    fits("HoldItem", &HoldView { hold: Hold::Rogue, since: None, released_by: "a person" });
    fits("Evaluation", &EvaluationView { at: AT, sentence: "Waiting.".into() });
    let emergency = EmergencyRecord {
        account_id: Some(AccountId(1)),
        active: true,
        reason: Some("test".into()),
        by: Some(Actor::Person("tom".into())),
        since: Some(AT),
        at: AT,
    };
    let currency = CurrencyView {
        currency: "ZAR".parse().unwrap(),
        equity: None,
        realized_pnl: n(1),
        unrealized_pnl: None,
        rate: Some(n(1)),
        rate_source: None,
        rate_age_s: Some(1),
    };
    fits(
        "Portfolio",
        &PortfolioView {
            account_id: AccountId(1),
            mode: Mode::Paper,
            reporting_currency: "ZAR".parse().unwrap(),
            equity: None,
            unknown: vec!["USDT/ZAR".into()],
            currencies: vec![currency],
            open_positions: 1,
            bots_active: 1,
            bots_paused: 0,
            bots_stopped: 0,
            emergency_stop: emergency,
        },
    );
    let wallet = WalletView {
        exchange: Exchange::Luno,
        currency: "ZAR".parse().unwrap(),
        mode: Mode::Paper,
        available: n(1),
        reserved: n(1),
        total: n(2),
    };
    fits("Wallet", &wallet);
}

#[test]
fn the_markets_views_fit_the_document() {
    for feed in [FeedState::Fresh, FeedState::Stale("silent".into())] {
        let market = MarketView {
            exchange: Exchange::Binance,
            symbol: "BTC/USDT".parse().unwrap(),
            status: InstrumentStatus::Trading,
            feed: feed.clone(),
            grade: DataGrade::L2Trades,
            best_bid: Some(n(1)),
            best_bid_quantity: None,
            best_ask: None,
            best_ask_quantity: None,
            last_price: None,
            last_price_at: Some(AT),
            spread_bp: Some(1.5),
            age_ms: Some(4),
            prints: 1,
            late_prints: 0,
            bots: 1,
            tick_size: n(1),
            lot_size: n(1),
            min_notional: n(5),
            maker_fee: Rate::from_bp(10),
            taker_fee: Rate::from_bp(10),
            fee_source: "table of 2026".into(),
        };
        fits("Market", &market);
        let level = LevelView { price: n(1), quantity: n(1) };
        let book = BookView {
            exchange: Exchange::Binance,
            symbol: "BTC/USDT".parse().unwrap(),
            feed,
            update_id: 9,
            bids: vec![level],
            asks: vec![],
        };
        fits("OrderBook", &book);
    }
    let (open, high, low, close, volume) = (n(1), n(1), n(1), n(1), n(0));
    fits("Bar", &BarView { open_at: AT, open, high, low, close, volume, prints: 0 });
}

#[tokio::test]
async fn an_order_of_another_account_cannot_be_cancelled() {
    let server = seeded().await;
    let stranger = server.token("stranger", server::Role::Trader, AccountId(2)).await;
    let path = format!("/api/orders/{}", u64::from(order_id()));
    let response = server.ask(Method::DELETE, &path, Some(&stranger)).send().await.unwrap();
    problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
}
