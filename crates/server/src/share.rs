//! A bot's record as one page that needs nothing but itself: percent only, beside what holding the
//! coin would have made, with what the data was worth and how often something was tried.
//!
//! The page carries a hash of itself. It shows that nobody changed the page by hand since it was
//! made, not who made it: whoever can make pages can make hashes.

use crate::seal::{BLANK, is_whole, sealed};
use domain::Timestamp;
use std::fmt::Write;

/// Before the hash in the page's head.
const MARK: &str = "<meta name=\"amarktai-share\" content=\"sha256:";
/// Points of a line: more than a page's width shows.
const POINTS_MAX: usize = 1_000;
const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 260.0;

/// What is shared; no amount of money is among it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shared {
    /// The bot's own name is not told: it may say more than its owner means to.
    pub(crate) title: String,
    /// `DEMO` or `PAPER`, large.
    pub(crate) mode: String,
    pub(crate) made_at: Timestamp,
    /// Name and value.
    pub(crate) figures: Vec<(&'static str, String)>,
    /// Gain of a unit in percent since the start.
    pub(crate) bot: Vec<(Timestamp, f64)>,
    /// The same of the coin; empty: its prices are not to be had.
    pub(crate) holding: Vec<(Timestamp, f64)>,
    /// What has to be said beside the figures.
    pub(crate) remarks: Vec<String>,
}

/// The page with its hash.
pub(crate) fn page(shared: &Shared) -> String {
    sealed(&blank_page(shared))
}

/// Is this page as it was made? `None`: it is no shared page.
pub fn verify_share(page: &str) -> Option<bool> {
    is_whole(page, MARK)
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:920px;\
padding:0 1rem;color:#15191e;background:#fff}h1{font-size:22px;margin:0}b.mode{border:1px solid \
#5b3fb8;color:#5b3fb8;border-radius:4px;padding:1px 8px;font-size:13px}dl{display:grid;\
grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:12px;margin:24px 0}dt{color:#566070;\
font-size:13px}dd{margin:0;font-weight:600;font-size:18px}svg{width:100%;height:auto;border:1px \
solid #dfe3e8}p{color:#566070;font-size:13px}";

fn blank_page(shared: &Shared) -> String {
    let (title, mode) = (escape(&shared.title), escape(&shared.mode));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\n{MARK}{BLANK}\">\n\
         <title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1><p><b class=\"mode\">{mode}</b> made at {}</p>\n<dl>",
        shared.made_at
    );
    for (name, value) in &shared.figures {
        // Writing to a text cannot fail.
        let _ = write!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    html += "</dl>\n";
    html += &chart(shared);
    for remark in &shared.remarks {
        let _ = writeln!(html, "<p>{}</p>", escape(remark));
    }
    html += "<p>The hash in this page's head shows whether it was changed by hand: \
             <code>amarktai verify FILE</code>.</p>\n</body></html>\n";
    html
}

fn chart(shared: &Shared) -> String {
    let all = || shared.bot.iter().chain(&shared.holding);
    let times = || all().map(|(at, _)| at.0 as f64);
    let values = || all().map(|(_, value)| *value);
    if shared.bot.len() < 2 {
        return "<p>Too few points for a line yet.</p>\n".to_owned();
    }
    let (left, right) = (times().fold(f64::MAX, f64::min), times().fold(f64::MIN, f64::max));
    let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
    let place = |(at, value): &(Timestamp, f64)| {
        let x = (at.0 as f64 - left) / (right - left).max(1.0) * WIDTH;
        let y = HEIGHT - (value - low) / (high - low).max(1e-9) * HEIGHT;
        (x, y)
    };
    let line = |points: &[(Timestamp, f64)], colour: &str| {
        let step = points.len().div_ceil(POINTS_MAX).max(1);
        let shown = points.iter().step_by(step).chain(points.last());
        let text: Vec<String> = shown.map(place).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = text.join(" ");
        format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{points}\"/>"
        )
    };
    let (_, zero) = place(&(Timestamp(left as i64), 0.0));
    format!(
        "<svg viewBox=\"-4 -8 {} {}\" role=\"img\" aria-label=\"Gain in percent\">\
         <line x1=\"0\" x2=\"{WIDTH}\" y1=\"{zero:.1}\" y2=\"{zero:.1}\" stroke=\"#c3cad3\"/>\
         {}{}</svg>\n<p>Blue: the bot. Grey: holding the coin. From {low:.2} % to {high:.2} %; \
         money moved in or out is no gain.</p>\n",
        WIDTH + 8.0,
        HEIGHT + 16.0,
        line(&shared.holding, "#9ba6b4"),
        line(&shared.bot, "#1a58c4"),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        let at = |minute: i64| Timestamp(minute * 60_000_000_000);
        Shared {
            title: "<ema cross> & friends".to_owned(),
            mode: "DEMO".to_owned(),
            made_at: at(9),
            figures: vec![("Return", "1.20 %".to_owned())],
            bot: vec![(at(0), 0.0), (at(5), -1.0), (at(9), 1.2)],
            holding: vec![(at(0), 0.0), (at(9), 3.0)],
            remarks: vec!["Data: \"book and trades\"".to_owned()],
        }
    }

    #[test]
    fn a_page_proves_itself_and_any_change_of_it_shows() {
        let page = page(&shared());
        assert_eq!(verify_share(&page), Some(true));
        for (what, with) in [("1.20 %", "9.20 %"), ("DEMO", "LIVE"), ("sha256:", "sha256:0")] {
            assert!(page.contains(what));
            let changed = page.replacen(what, with, 1);
            assert_eq!(verify_share(&changed), Some(false), "{what}");
        }
        assert_eq!(verify_share("<!doctype html><p>another page</p>"), None);
    }

    #[test]
    fn a_page_asks_nobody_runs_nothing_and_escapes_what_people_wrote() {
        let page = page(&shared());
        assert!(page.contains("&lt;ema cross&gt; &amp; friends"));
        for no in ["<script", "http://", "https://", "src=", "<ema"] {
            assert!(!page.contains(no), "{no}");
        }
    }

    #[test]
    fn a_bot_without_points_is_told_without_a_line() {
        let page = page(&Shared::default());
        assert!(page.contains("Too few points") && !page.contains("<svg"));
        assert_eq!(verify_share(&page), Some(true));
    }
}
