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
