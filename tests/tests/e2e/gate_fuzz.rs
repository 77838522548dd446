//! A thousand requests that mean no good: every route that changes anything, with bodies after its own
//! schema and against it, as the owner, with working keys at exchanges that would take orders. None
//! of them reaches an exchange while a condition of the live gate is missing.

use crate::harness::{Place, Product};
use crate::live::{exchanges, pair, put_key};
use crate::market::{config, create, eager, fund, listed};
use domain::Exchange;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REQUESTS: usize = 1_300;
/// After so many the fleet is put back on its feet: a stopped one would prove nothing.
const MEND_EVERY: usize = 60;
/// Work of seconds each, or a sign-in that is slow on purpose: they come, but not often.
const SLOW: [&str; 5] =
    ["/api/backtests", "/api/sweeps", "/api/auth", "/api/users", "/api/backups"];
const SLOW_MAX: usize = 2;
/// What no body may say, and says all the same.
const BAIT: [(&str, &str); 5] =
    [("mode", "live"), ("is_paper", "false"), ("live", "true"), ("permit", "entry"), ("holds", "")];

struct Route {
    method: Method,
    path: String,
    body: Option<Value>,
}

fn routes(document: &Value) -> Vec<Route> {
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, route) in methods.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            if method != Method::GET {
                let body = &route["requestBody"]["content"]["application/json"]["schema"];
                let body = (!body.is_null()).then(|| body.clone());
                routes.push(Route { method, path: path.clone(), body });
            }
        }
    }
    routes
}

struct Fuzz {
    random: StdRng,
    document: Value,
    names: Vec<String>,
    bots: u64,
}

impl Fuzz {
    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.random).unwrap().clone()
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn word(&mut self) -> Value {
        let names = self.names.clone();
        if self.chance(40) {
            return self.pick(&names).into();
        }
        let words = [
            "binance", "kucoin", "luno", "BTC/USDT", "BTC/ZAR", "USDT", "ZAR", "1000", "0", "-1",
            "1e9", "1s", "1m", "dca", "grid", "live", "sell", "account", "fleet", "", "\u{0}",
        ];
        self.pick(&words).into()
    }

    fn odd(&mut self) -> Value {
        self.pick(&[json!(null), json!({}), json!([]), json!("live"), json!(1e300), json!(true)])
    }

    /// Something of this schema, mostly.
    fn value(&mut self, schema: &Value, depth: u32) -> Value {
        if depth == 0 || self.chance(4) {
            return self.odd();
        }
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap();
            let schema = self.document["components"]["schemas"][name].clone();
            return self.value(&schema, depth - 1);
        }
        for any in ["oneOf", "anyOf", "allOf"] {
            if let Some(list) = schema[any].as_array() {
                let one = self.pick(list);
                return self.value(&one, depth - 1);
            }
        }
        if let Some(words) = schema["enum"].as_array() {
            return self.pick(words);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.pick(kinds),
            kind => kind.clone(),
        };
        match kind.as_str() {
            Some("object") => self.object(schema, depth),
            Some("array") => (0..self.random.random_range(0..3))
                .map(|_| self.value(&schema["items"], depth - 1))
                .collect(),
            Some("string") => self.word(),
            Some("integer" | "number") => self.pick(&[0, 1, 2, 7, 60, 500]).into(),
            Some("boolean") => self.chance(50).into(),
            _ => self.odd(),
        }
    }

    fn object(&mut self, schema: &Value, depth: u32) -> Value {
        let mut made = serde_json::Map::new();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, of) in schema["properties"].as_object().cloned().unwrap_or_default() {
            let is_required = required.contains(&Value::from(name.as_str()));
            if self.chance(if is_required { 97 } else { 40 }) {
                let value = self.value(&of, depth - 1);
                made.insert(name, value);
            }
        }
        if self.chance(8) {
            let (name, value) = self.pick(&BAIT);
            made.insert(name.to_owned(), value.into());
        }
        Value::Object(made)
    }

    fn path(&mut self, route: &Route) -> String {
        let id = self.random.random_range(1..=self.bots).to_string();
        let scope = self.pick(&["account", "fleet", "bot-1", "bot-2"]);
        let exchange = self.pick(&Exchange::ALL).name();
        let path = route.path.replace("{id}", &id).replace("{scope}", scope);
        let path = path.replace("{exchange}", exchange);
        match self.pick(&["", "", "?account_id=1", "?account_id=2", "?scope=fleet"]) {
            "?scope=fleet" if !path.contains("emergency") && !path.contains("policy") => path,
            query => path + query,
        }
    }

    fn body(&mut self, route: &Route) -> Option<Value> {
        if route.path.ends_with("/promote") && self.chance(80) {
            let names = self.names.clone();
            return Some(json!({ "confirm": self.pick(&names) }));
        }
        let schema = route.body.clone()?;
        Some(self.value(&schema, 8))
    }
}

/// Nothing stands in the way but the gate: no stop, working keys, and bots that want to trade.
async fn mend(product: &Product, fuzz: &mut Fuzz) {
    for scope in ["account", "fleet"] {
        let path = format!("/api/emergency-stop?scope={scope}");
        let _ = product.try_send(Method::DELETE, &path, None, None).await.unwrap();
    }
    let _ = product.try_send(Method::POST, "/api/system/entries", None, None).await.unwrap();
    for exchange in Exchange::ALL {
        put_key(product, exchange).await;
    }
    let exchange = fuzz.pick(&Exchange::ALL);
    let name = format!("fresh-{}", fuzz.names.len());
    let mut bot = eager(&name, exchange.name(), pair(exchange));
    bot["capital"] = if exchange == Exchange::Luno { json!("4000") } else { json!("200") };
    let (status, made) =
        product.try_send(Method::POST, "/api/bots", Some(&bot), None).await.unwrap();
    if status.is_success() {
        fuzz.names.push(name);
        fuzz.bots = fuzz.bots.max(made["id"].as_u64().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_random_requests_place_no_real_order_while_a_condition_is_missing() {
    let sandbox = exchanges().await;
    let mut place = Place::new(config(&sandbox));
    place.set("ENABLE_LIVE_TRADING", "true");
    let product = place.start("run").await;
    fund(&product).await;
    let document = product.get("/api/openapi.json").await;
    let (random, names) = (StdRng::seed_from_u64(11), Vec::new());
    let mut fuzz = Fuzz { random, document, names, bots: 1 };
    for exchange in Exchange::ALL {
        listed(&product, exchange.name(), &pair(exchange).replace('/', "-")).await;
        let mut bot = eager(exchange.name(), exchange.name(), pair(exchange));
        if exchange == Exchange::Luno {
            bot["capital"] = json!("20000");
        }
        fuzz.bots = create(&product, bot).await;
        fuzz.names.push(exchange.name().to_owned());
    }
    let routes = routes(&fuzz.document);
    let of_bots: Vec<usize> =
        (0..routes.len()).filter(|at| routes[*at].path.starts_with("/api/bots")).collect();
    let all: Vec<usize> = (0..routes.len()).collect();
    let (mut asked, mut answers) = (BTreeMap::<usize, usize>::new(), BTreeMap::<u16, usize>::new());
    for request in 0..REQUESTS {
        if request % MEND_EVERY == 0 {
            mend(&product, &mut fuzz).await;
        }
        let among = if fuzz.chance(50) { &of_bots } else { &all };
        let at = fuzz.pick(among);
        let route = &routes[at];
        let times = asked.entry(at).or_default();
        if *times >= SLOW_MAX && SLOW.iter().any(|slow| route.path.starts_with(slow)) {
            continue;
        }
        *times += 1;
        let (path, body) = (fuzz.path(route), fuzz.body(route));
        let key = fuzz.chance(30).then(|| format!("fuzz-{}", request % 40));
        let sent = product.try_send(route.method.clone(), &path, body.as_ref(), key.as_deref());
        let (status, answer) = sent.await.unwrap();
        *answers.entry(status.as_u16()).or_default() += 1;
        assert_ne!(status.as_u16(), 500, "{} {path} {body:?}: {answer}", route.method);
        if path.ends_with("/promote") {
            assert!(!status.is_success(), "{path} {body:?}: {answer}");
        }
    }
    println!("answers: {answers:?}");
    let sum: usize = answers.values().sum();
    assert!(sum >= 1_000, "{sum}");
    let good: usize = answers.range(200..300).map(|(_, times)| times).sum();
    assert!(good >= 100, "the requests are no mere noise: {answers:?}");
    assert_eq!(asked.len(), routes.len(), "every route was asked");
    let bots = product.get("/api/bots?limit=500").await;
    assert!(bots["items"].as_array().unwrap().iter().all(|bot| bot["mode"] == "paper"));
    let orders = product.get("/api/orders?limit=500").await;
    let orders = orders["items"].as_array().unwrap();
    assert!(!orders.is_empty(), "bots did want to trade");
    assert!(orders.iter().all(|order| order["mode"] == "paper"));
    for exchange in Exchange::ALL {
        assert_eq!(sandbox.orders(exchange), [], "{exchange}");
    }
    product.end();
}
