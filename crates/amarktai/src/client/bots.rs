//! Bots: named by name or id, listed, made, steered, asked why.

use super::answer::{Answer, items};
use super::api::Api;
use super::failure::Failure;
use super::lists::paged;
use super::table::{Column, fields};
use crate::cli::{BotsVerb, Creation, Positions};
use serde_json::{Value, json};

/// Rows of one question while all are read.
const PAGE_ROWS: &str = "500";

const BOTS: &[Column] = &[
    ("ID", "id"),
    ("NAME", "name"),
    ("EXCHANGE", "exchange"),
    ("SYMBOL", "symbol"),
    ("STRATEGY", "strategy.kind"),
    ("STATE", "state"),
    ("EQUITY", "equity"),
    ("PROFIT", "realized_pnl"),
    ("TRADES", "trades"),
    ("DOING", "doing"),
];

/// All bots of an account (`None`: one's own), whatever their number.
pub(crate) async fn all(api: &Api, account: Option<u64>) -> Result<Vec<Value>, Failure> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", PAGE_ROWS.to_owned())];
        query.extend(account.map(|account| ("account_id", account.to_string())));
        query.extend(after.map(|after| ("after", after)));
        let page = api.find("/api/bots", &query).await?;
        after = page["next"].as_str().map(str::to_owned);
        all.extend(items(page));
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// The bot of this name, the living one before a retired one; else the one of this id.
pub(crate) async fn find(api: &Api, bot: &str) -> Result<Value, Failure> {
    let mut all = all(api, None).await?;
    all.sort_by_key(|one| one["lifecycle"] == "retired");
    let id = bot.parse::<u64>().ok();
    let place = all.iter().position(|one| one["name"] == bot);
    let place =
        place.or_else(|| all.iter().position(|one| id.is_some() && one["id"].as_u64() == id));
    match place {
        Some(place) => Ok(all.swap_remove(place)),
        None => Err(Failure::could_not(format!(
            "there is no bot {bot:?}; `amarktai bots list` names all"
        ))),
    }
}

/// Its number.
pub(crate) async fn id_of(api: &Api, bot: &str) -> Result<u64, Failure> {
    let found = find(api, bot).await?;
    let id = found["id"].as_u64();
    id.ok_or_else(|| Failure::could_not("the server names no id of the bot"))
}

/// In one sentence.
pub(crate) async fn why(api: &Api, name: &str) -> Result<Answer, Failure> {
    let bot = find(api, name).await?;
    let sentence = bot["doing"].as_str().unwrap_or_default().to_owned();
    let json = json!({
        "bot_id": bot["id"], "name": bot["name"], "state": bot["state"], "holds": bot["holds"],
        "doing": sentence,
    });
    Ok(Answer::new(json, format!("{sentence}\n")))
}

/// `bots …`
pub(crate) async fn bots(api: &Api, verb: &BotsVerb) -> Result<Answer, Failure> {
    match verb {
        BotsVerb::List(page) => Ok(Answer::list(api.find("/api/bots", &paged(page)).await?, BOTS)),
        BotsVerb::Show { bot } => {
            let bot = find(api, bot).await?;
            let text = fields(&bot);
            Ok(Answer::new(bot, text))
        }
        BotsVerb::Create(creation) => Ok(said(api.post("/api/bots", Some(&body(creation))).await?)),
        BotsVerb::Start { bot } => order(api, bot, "start", None).await,
        BotsVerb::Pause { bot } => order(api, bot, "pause", None).await,
        BotsVerb::Resume { bot } => order(api, bot, "resume", None).await,
        BotsVerb::Stop { bot, positions } => {
            let positions = match positions {
                Positions::KeepGuarding => "keep_guarding",
                Positions::Sell => "sell",
            };
            order(api, bot, "stop", Some(json!({ "positions": positions }))).await
        }
        BotsVerb::Retire { bot } => order(api, bot, "retire", None).await,
        BotsVerb::Rearm { bot } => order(api, bot, "rearm", None).await,
        BotsVerb::Flatten { bot } => order(api, bot, "flatten", None).await,
        BotsVerb::Clone { bot, name } => {
            order(api, bot, "clone", Some(json!({ "name": name }))).await
        }
    }
}

async fn order(api: &Api, bot: &str, what: &str, body: Option<Value>) -> Result<Answer, Failure> {
    let path = format!("/api/bots/{}/{what}", id_of(api, bot).await?);
    api.post(&path, body.as_ref()).await.map(said)
}

/// The bot as it is after an order.
fn said(bot: Value) -> Answer {
    let part = |key: &str| bot[key].as_str().unwrap_or_default().to_owned();
    let text = format!("{} ({}): {}\n", part("name"), bot["id"], part("doing"));
    Answer::new(bot, text)
}

fn body(creation: &Creation) -> Value {
    let params = creation.params.clone().unwrap_or_else(|| json!({}));
    let mut body = json!({
        "name": creation.name,
        "exchange": creation.exchange,
        "symbol": creation.symbol,
        "strategy": { "kind": creation.strategy, "params": params },
        "timeframe": creation.timeframe,
        "risk_mode": creation.risk_mode,
        "capital": creation.capital,
        "start": !creation.no_start,
    });
    if let Some(exits) = &creation.exits {
        body["exits"] = exits.clone();
    }
    body
}
