//! Kinds of values: how each is read from text, what is allowed, how it is shown.

use super::raw::Raw;
use domain::{Currency, Exchange, Limit, LimitValue, Symbol};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};

/// A value as `config show` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// In quotes.
    Text(String),
    /// As it is: a number or boolean.
    Plain(String),
    /// Each in quotes.
    List(Vec<String>),
    /// Set, and not to be shown.
    Secret,
    /// Not set.
    Unset,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Plain(text) => f.write_str(text),
            Self::List(items) => write!(f, "{items:?}"),
            Self::Secret => f.write_str("***"),
            Self::Unset => f.write_str("(not set)"),
        }
    }
}

/// A secret: shown as `***` everywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one who has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

type Parse<T> = Box<dyn Fn(&Raw) -> Option<T>>;

/// A kind of value.
pub(super) struct Kind<T> {
    pub(super) allowed: String,
    pub(super) is_secret: bool,
    pub(super) parse: Parse<T>,
    pub(super) show: fn(&T) -> Shown,
}

impl<T> Kind<T> {
    fn new(
        allowed: impl Into<String>,
        show: fn(&T) -> Shown,
        parse: impl Fn(&Raw) -> Option<T> + 'static,
    ) -> Self {
        Self { allowed: allowed.into(), is_secret: false, parse: Box::new(parse), show }
    }
}

fn quoted<T: fmt::Display>(value: &T) -> Shown {
    Shown::Text(value.to_string())
}

fn plain<T: fmt::Display>(value: &T) -> Shown {
    Shown::Plain(value.to_string())
}

fn list<T: fmt::Display, L: AsRef<[T]>>(values: &L) -> Shown {
    Shown::List(values.as_ref().iter().map(T::to_string).collect())
}

/// Items read one by one, each once.
fn each<T: Ord + Clone>(raw: &Raw, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let items: Vec<T> = raw.items()?.into_iter().map(parse).collect::<Option<_>>()?;
    let distinct: BTreeSet<&T> = items.iter().collect();
    (distinct.len() == items.len()).then_some(items)
}

pub(super) fn boolean() -> Kind<bool> {
    Kind::new("true, false (outside TOML also 1/0, yes/no, on/off)", plain, |raw| match raw {
        Raw::Bool(value) => Some(*value),
        Raw::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    })
}

/// A whole number in a range; `of` says the unit.
pub(super) fn whole(of: &str, min: u64, max: u64) -> Kind<u64> {
    Kind::new(format!("a whole number{of} from {min} to {max}"), plain, move |raw| {
        raw.number()?.parse().ok().filter(|v| (min..=max).contains(v))
    })
}

/// The same in 32 bits.
pub(super) fn whole32(of: &str, min: u32, max: u32) -> Kind<u32> {
    Kind::new(format!("a whole number{of} from {min} to {max}"), plain, move |raw| {
        raw.number()?.parse().ok().filter(|v| (min..=max).contains(v))
    })
}

/// A limit of the policy.
pub(super) fn limit(limit: &'static Limit) -> Kind<LimitValue> {
    Kind::new(limit.allowed(), plain, move |raw| {
        let value = match limit.is_decimal() {
            true => LimitValue::Decimal(raw.number()?.parse().ok()?),
            false => LimitValue::Whole(raw.number()?.parse().ok()?),
        };
        limit.allows(value).then_some(value)
    })
}

/// One of a few words.
pub(super) fn choice<T: Copy + fmt::Display + 'static>(all: &'static [T]) -> Kind<T> {
    let words: Vec<String> = all.iter().map(|v| format!("\"{v}\"")).collect();
    Kind::new(words.join(" or "), quoted, move |raw| {
        let text = raw.text()?;
        all.iter().copied().find(|v| v.to_string() == text)
    })
}

pub(super) fn socket() -> Kind<SocketAddr> {
    let allowed = "an IP address and a port, as \"127.0.0.1:8000\" or \"[::1]:8000\"";
    Kind::new(allowed, quoted, |raw| raw.text()?.parse().ok())
}

pub(super) fn addresses() -> Kind<Vec<IpAddr>> {
    let allowed = "a list of IP addresses, each once, as [\"127.0.0.1\"]";
    Kind::new(allowed, list, |raw| each(raw, |item| item.parse().ok()))
}

/// An address with the secure scheme, or the plain one on loopback.
pub(super) fn address(secure: &'static str, unsecured: &'static str) -> Kind<String> {
    let allowed = format!("\"{secure}://…\" (plain \"{unsecured}://…\" on loopback only)");
    Kind::new(allowed, quoted, move |raw| {
        let text = raw.text()?;
        let url = url::Url::parse(text).ok()?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let is_safe = url.scheme() == secure || (url.scheme() == unsecured && on_loopback(&url));
        // Connectors append paths that begin with a slash.
        (is_bare && is_safe && url.has_host()).then(|| text.trim_end_matches('/').to_owned())
    })
}

/// An address without a path: what a browser names as the origin of our pages.
pub(super) fn origin() -> Kind<String> {
    let allowed =
        "\"https://HOST\" without a path (plain \"http://…\" on loopback only)".to_owned();
    let inner = address("https", "http");
    Kind::new(allowed, quoted, move |raw| {
        let text = (inner.parse)(raw)?;
        let url = url::Url::parse(&text).ok()?;
        // As browsers write it: lower case, without the default port.
        (url.path() == "/").then(|| url.origin().ascii_serialization())
    })
}

fn on_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub(super) fn symbols() -> Kind<Vec<Symbol>> {
    let allowed = "a list of BASE/QUOTE, each once, as [\"BTC/USDT\"] (BTC, also where the \
                   exchange says XBT)";
    Kind::new(allowed, list, |raw| {
        each(raw, |item| {
            item.parse()
                .ok()
                .filter(|s: &Symbol| [s.base, s.quote].iter().all(|c| c.as_str() != "XBT"))
        })
    })
}

pub(super) fn exchanges() -> Kind<Vec<Exchange>> {
    let allowed = "one or more of luno, binance, kucoin, each once, separated by commas";
    let shown = |all: &Vec<Exchange>| {
        Shown::Text(all.iter().map(|e| e.name()).collect::<Vec<_>>().join(","))
    };
    Kind::new(allowed, shown, |raw| {
        each(raw, |item| Exchange::parse(&item.to_lowercase())).filter(|all| !all.is_empty())
    })
}

pub(super) fn currency() -> Kind<Currency> {
    let allowed = "a currency code in capitals, as \"ZAR\" or \"USDT\"";
    Kind::new(allowed, quoted, |raw| {
        let text = raw.text()?;
        text.parse().ok().filter(|_| text == text.to_uppercase() && text != "XBT")
    })
}

pub(super) fn timezone() -> Kind<String> {
    let allowed = "a name of the IANA time zone database, as \"Africa/Johannesburg\" or \"UTC\"";
    Kind::new(allowed, quoted, |raw| {
        let text = raw.text()?;
        jiff::tz::TimeZone::get(text).ok().map(|_| text.to_owned())
    })
}

/// A file of the data directory behind the store's scheme.
pub(super) fn sqlite() -> Kind<PathBuf> {
    let allowed = "\"sqlite:FILE\" with FILE inside the data directory; other stores are not built";
    let shown = |file: &PathBuf| Shown::Text(format!("sqlite:{}", file.display()));
    Kind::new(allowed, shown, |raw| {
        let file = Path::new(raw.text()?.strip_prefix("sqlite:")?);
        let is_inside = file.components().all(|c| matches!(c, Component::Normal(_)));
        (is_inside && file.file_name().is_some()).then(|| file.to_owned())
    })
}

pub(super) fn directory() -> Kind<PathBuf> {
    let shown = |path: &PathBuf| Shown::Text(path.display().to_string());
    Kind::new("a path", shown, |raw| {
        let text = raw.text()?;
        // The sign stands where a variable was no text: better no path than a similar one.
        let is_path = !text.is_empty() && !text.contains(['\0', char::REPLACEMENT_CHARACTER]);
        is_path.then(|| PathBuf::from(text))
    })
}

/// Only from the environment or `.env`: files with settings are shown around.
pub(super) fn secret() -> Kind<Secret> {
    let allowed = "one line of printable text, from the environment or .env only";
    let parse = |raw: &Raw| {
        let Raw::Text(text) = raw else { return None };
        let is_line =
            !text.is_empty() && text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic());
        is_line.then(|| Secret(text.clone()))
    };
    Kind { is_secret: true, ..Kind::new(allowed, |_| Shown::Secret, parse) }
}

/// An address that is a secret itself, as it carries one: never shown, and not in files.
pub(super) fn secret_address() -> Kind<Secret> {
    let inner = secret();
    let parse = move |raw: &Raw| {
        let secret = (inner.parse)(raw)?;
        let url = url::Url::parse(secret.expose()).ok()?;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && on_loopback(&url));
        (is_safe && url.has_host()).then_some(secret)
    };
    let allowed = "\"https://…\" (plain http on loopback only), from the environment or .env only";
    Kind { is_secret: true, ..Kind::new(allowed, |_| Shown::Secret, parse) }
}

/// A mail server with who signs in there.
pub(super) fn mail_server() -> Kind<Secret> {
    let inner = secret();
    let parse = move |raw: &Raw| {
        let secret = (inner.parse)(raw)?;
        let url = url::Url::parse(secret.expose()).ok()?;
        let is_safe = url.scheme() == "smtps" || (url.scheme() == "smtp" && loopback_name(&url));
        (is_safe && url.has_host()).then_some(secret)
    };
    let allowed = "\"smtps://USER:PASSWORD@HOST:PORT\" (plain smtp on loopback only), from the \
                   environment or .env only";
    Kind { is_secret: true, ..Kind::new(allowed, |_| Shown::Secret, parse) }
}

/// Of a scheme that the URL standard leaves alone, so that its host is a name.
fn loopback_name(url: &url::Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// One address of one person.
pub(super) fn mailbox() -> Kind<String> {
    Kind::new("an e-mail address, as \"me@example.com\"", quoted, |raw| {
        let text = raw.text()?;
        let (user, host) = text.rsplit_once('@')?;
        let is_address = !user.is_empty()
            && host.contains('.')
            && text.len() <= 254
            && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>,;:\"".contains(&b));
        is_address.then(|| text.to_owned())
    })
}

/// Telegram's number of a chat; groups have negative ones.
pub(super) fn chat() -> Kind<i64> {
    Kind::new("the chat's whole number, negative for groups", plain, |raw| {
        raw.number()?.parse().ok().filter(|id| *id != 0)
    })
}

/// A time of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockTime {
    /// 0 to 23.
    pub hour: i8,
    /// 0 to 59.
    pub minute: i8,
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

pub(super) fn clock_time() -> Kind<ClockTime> {
    Kind::new("a time of the day, as \"22:30\"", quoted, |raw| {
        let (hour, minute) = raw.text()?.split_once(':')?;
        let two = |text: &str, end: i8| {
            let is_two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<i8>().ok().filter(|n| is_two && *n < end)
        };
        Some(ClockTime { hour: two(hour, 24)?, minute: two(minute, 60)? })
    })
}
