//! Telegram's commands: /status /profit /bots /why NAME /pause NAME /stop, for one chat only.
//!
//! Whoever else writes gets no answer: a bot that answers is a bot that can be asked.

use super::Notices;
use super::channel::{self, Channel};
use crate::config::Secret;
use crate::core_loop::now;
use domain::{AccountId, Actor, Amount, Mode};
use engine::Command;
use engine::view::{BotView, PortfolioView};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The chat's owner is whoever set this server up.
const ACCOUNT: AccountId = AccountId(1);
/// Telegram holds the question open until there is something to tell.
const POLL_S: u64 = 25;
/// With the way there and back.
const POLL_TIME: Duration = Duration::from_secs(POLL_S + 10);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(5);
/// Orders older than this were given to a server that was down: doing them now would surprise.
const ORDER_AGE_MAX_S: i64 = 120;
/// How long a code is good for.
const CODE_TIME: Duration = Duration::from_secs(120);
/// Bots in one answer.
const BOTS_MAX: usize = 25;

const HELP: &str = "/status /profit /bots /why NAME /pause NAME /stop";

/// The code that has to be repeated, and until when.
#[derive(Default)]
struct Pending(Option<(String, Instant)>);

/// Answers for ever; never returns where there is no such channel.
pub(super) async fn answer(notices: &Notices) {
    let telegram = notices.channels.iter().find_map(|channel| match channel {
        Channel::Telegram { url, token, chat } => Some((url, token, *chat)),
        _ => None,
    });
    let Some((url, token, chat)) = telegram else { return std::future::pending().await };
    let (mut offset, mut pending) = (0, Pending::default());
    loop {
        let updates = match updates(notices, url, token, offset).await {
            Ok(updates) => updates,
            Err(()) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        for update in updates {
            let id = update["update_id"].as_i64().unwrap_or_default();
            offset = offset.max(id + 1);
            let Some(text) = order(&update, chat) else { continue };
            let reply = carry_out(notices, &text, &mut pending).await;
            let body = json!({ "chat_id": chat, "text": reply });
            let sent = channel::telegram(&notices.http, url, token, "sendMessage", &body);
            if let Err(error) =
                tokio::time::timeout(POLL_TIME, sent).await.unwrap_or(Ok(Value::Null))
            {
                tracing::warn!(%error, "Telegram did not take an answer");
            }
        }
    }
}

async fn updates(
    notices: &Notices,
    url: &str,
    token: &Secret,
    offset: i64,
) -> Result<Vec<Value>, ()> {
    let body = json!({ "offset": offset, "timeout": POLL_S, "allowed_updates": ["message"] });
    let asked = channel::telegram(&notices.http, url, token, "getUpdates", &body);
    match tokio::time::timeout(POLL_TIME, asked).await {
        Ok(Ok(Value::Array(updates))) => Ok(updates),
        Ok(Ok(_)) | Err(_) => Err(()),
        Ok(Err(error)) => {
            tracing::debug!(%error, "Telegram was not heard");
            Err(())
        }
    }
}

/// The text of a fresh message of the one chat.
fn order(update: &Value, chat: i64) -> Option<String> {
    let message = &update["message"];
    let from = message["chat"]["id"].as_i64()?;
    if from != chat {
        tracing::warn!(chat = from, "a stranger wrote to the Telegram bot");
        return None;
    }
    let age_s = now().0 / 1_000_000_000 - message["date"].as_i64()?;
    (age_s <= ORDER_AGE_MAX_S).then(|| message["text"].as_str().map(str::to_owned))?
}

async fn carry_out(notices: &Notices, text: &str, pending: &mut Pending) -> String {
    let (verb, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    // In groups a command may carry the bot's name.
    let verb = verb.split('@').next().unwrap_or(verb);
    match (verb, rest.trim()) {
        ("/status", "") => status(notices).await,
        ("/profit", "") => profit(notices).await,
        ("/bots", "") => bots(notices).await,
        ("/why", name) if !name.is_empty() => why(notices, name).await,
        ("/pause", name) if !name.is_empty() => pause(notices, name).await,
        ("/stop", code) => stop(notices, code, pending).await,
        _ => HELP.to_owned(),
    }
}

const LATE: &str = "The core does not answer.";

async fn status(notices: &Notices) -> String {
    let Ok(fleet) = notices.core.query(|engine| engine.fleet()).await else {
        return LATE.to_owned();
    };
    let word = serde_json::to_value(notices.health.load().status()).unwrap_or_default();
    format!(
        "{}: {} bots active, {} paused; {} feeds fresh, {} not; {} trades today, {} open positions",
        word.as_str().unwrap_or("?"),
        fleet.bots_active,
        fleet.bots_paused,
        fleet.feeds_fresh,
        fleet.feeds_stale,
        fleet.trades_today,
        fleet.open_positions
    )
}

async fn profit(notices: &Notices) -> String {
    let both = |engine: &engine::Engine| {
        [Mode::Paper, Mode::Live].map(|mode| engine.portfolio(ACCOUNT, mode))
    };
    let Ok([Some(paper), Some(live)]) = notices.core.query(both).await else {
        return LATE.to_owned();
    };
    let mut text = sums(&paper);
    // Without a key there is nothing at an exchange to tell of.
    if !live.currencies.is_empty() {
        text = format!("Real money: {}\nPaper: {text}", sums(&live));
    }
    text
}

fn sums(portfolio: &PortfolioView) -> String {
    let shown = |amount: Option<Amount>| amount.map_or("unknown".to_owned(), |a| a.to_string());
    let mut lines =
        vec![format!("Equity {} {}", shown(portfolio.equity), portfolio.reporting_currency)];
    lines.extend(portfolio.currencies.iter().map(|one| {
        let (realized, open) = (one.realized_pnl, shown(one.unrealized_pnl));
        format!("{}: realised {realized}, open {open}", one.currency)
    }));
    lines.join("\n")
}

async fn bots(notices: &Notices) -> String {
    let Ok(bots) = notices.core.query(|engine| engine.bots(Some(ACCOUNT))).await else {
        return LATE.to_owned();
    };
    let line = |bot: &BotView| format!("{}: {}", bot.record.config.name, bot.doing);
    let mut lines: Vec<String> = bots.iter().take(BOTS_MAX).map(line).collect();
    if bots.len() > BOTS_MAX {
        lines.push(format!("… and {} more", bots.len() - BOTS_MAX));
    }
    if lines.is_empty() { "There are no bots.".to_owned() } else { lines.join("\n") }
}

async fn why(notices: &Notices, name: &str) -> String {
    let named = name.to_owned();
    let ask = move |engine: &engine::Engine| {
        let id = engine.bot_by_name(ACCOUNT, &named)?;
        engine.bot(Some(ACCOUNT), id).map(|bot| bot.doing)
    };
    match notices.core.query(ask).await {
        Ok(Some(doing)) => doing,
        Ok(None) => format!("There is no bot {name}."),
        Err(_) => LATE.to_owned(),
    }
}

fn actor() -> Actor {
    Actor::Person("telegram".to_owned())
}

async fn pause(notices: &Notices, name: &str) -> String {
    let named = name.to_owned();
    let id = notices.core.query(move |engine| engine.bot_by_name(ACCOUNT, &named)).await;
    let Ok(Some(id)) = id else { return format!("There is no bot {name}.") };
    match notices.core.command(Some(ACCOUNT), actor(), Command::Pause(id)).await {
        Ok(_) => format!("{name} is paused; its stops stay armed."),
        Err(error) => error.to_string(),
    }
}

/// Twice: a word in a chat is typed too easily.
async fn stop(notices: &Notices, code: &str, pending: &mut Pending) -> String {
    let awaited = pending.0.take().filter(|(_, until)| Instant::now() < *until);
    match awaited {
        Some((awaited, _)) if awaited == code => {
            let reason = "ordered over Telegram".to_owned();
            let command = Command::EmergencyStop { reason, sell: false };
            match notices.core.command(Some(ACCOUNT), actor(), command).await {
                Ok(_) => "Emergency stop is ON: no new positions, open orders cancelled, stops \
                          stay armed."
                    .to_owned(),
                Err(error) => error.to_string(),
            }
        }
        _ => {
            let code = format!("{:06}", rand::random_range(0..1_000_000));
            let answer = format!("To stop everything send within two minutes: /stop {code}");
            pending.0 = Some((code, Instant::now() + CODE_TIME));
            answer
        }
    }
}
