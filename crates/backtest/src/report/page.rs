//! A page that stands alone: style inside, no script, nothing fetched.

use std::fmt::Write;

/// Light and dark as the reader has it; one column on a narrow screen.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dfe3e8;--back:#fbfbfa;\
--card:#fff;--main:#1f6feb;--good:#1a7f4b;--bad:#c0392b;--other:#8a94a3}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa5b4;--line:#2c3440;--back:#12161c;\
--card:#191f27;--main:#6ea8fe;--good:#4cc38a;--bad:#ff7b6b;--other:#7d8896}}\
*{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:20px 24px 60px;\
background:var(--back);color:var(--ink);font:15px/1.45 system-ui,sans-serif}\
h1{font-size:22px;margin:4px 0}h2{font-size:16px;margin:30px 0 8px}\
.grade{font-weight:600;border-left:4px solid var(--main);padding:8px 12px;background:var(--card)}\
.soft{color:var(--soft);font-size:13px}.good{color:var(--good)}.bad{color:var(--bad)}\
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:16px 0}\
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px}\
.card b{display:block;font-size:20px;font-variant-numeric:tabular-nums}\
.chart{position:relative;background:var(--card);border:1px solid var(--line);border-radius:8px;\
padding:0;overflow:hidden}.chart svg{display:block;width:100%;height:100%}\
.chart span{position:absolute;font-size:11px;color:var(--soft);padding:0 4px;\
background:color-mix(in srgb,var(--card) 75%,transparent);white-space:nowrap}\
.legend i{display:inline-block;width:14px;height:3px;vertical-align:middle;margin:0 4px 0 12px}\
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px;\
font-variant-numeric:tabular-nums}th,td{padding:4px 8px;text-align:right;\
border-bottom:1px solid var(--line);white-space:nowrap}th:first-child,td:first-child{text-align:left}\
th{color:var(--soft);font-weight:500}details{border-bottom:1px solid var(--line);padding:5px 0}\
summary{cursor:pointer;display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px;\
font-variant-numeric:tabular-nums}summary span:first-child{min-width:5em;color:var(--soft)}\
.figures{columns:2;column-gap:34px}.figures div{display:flex;justify-content:space-between;gap:12px;\
border-bottom:1px solid var(--line);padding:4px 0;break-inside:avoid;font-size:13.5px}\
.figures b{font-weight:500;text-align:right;font-variant-numeric:tabular-nums}\
@media(max-width:640px){body{padding:12px 12px 40px}.figures{columns:1}.card b{font-size:17px}}";

/// Text that cannot be read as markup.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A page in the making.
#[derive(Debug, Default)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// With its title; `headline` says first what the data is worth.
    pub fn new(title: &str, headline: &str) -> Self {
        let mut page = Self { title: escape(title), body: String::new() };
        page.raw(&format!("<p class=\"grade\">{}</p>", escape(headline)));
        page.raw(&format!("<h1>{}</h1>", page.title));
        page
    }

    /// Markup as it is: whoever calls has escaped what is not its own.
    pub fn raw(&mut self, html: &str) {
        self.body.push_str(html);
        self.body.push('\n');
    }

    /// A section's heading.
    pub fn section(&mut self, title: &str) {
        self.raw(&format!("<h2>{}</h2>", escape(title)));
    }

    /// A small remark.
    pub fn remark(&mut self, text: &str) {
        self.raw(&format!("<p class=\"soft\">{}</p>", escape(text)));
    }

    /// Some figures, large.
    pub fn cards(&mut self, cards: &[(&str, String, Option<bool>)]) {
        let mut html = "<div class=\"cards\">".to_owned();
        for (name, value, is_good) in cards {
            let class = match is_good {
                Some(true) => " class=\"good\"",
                Some(false) => " class=\"bad\"",
                None => "",
            };
            // Writing to a String cannot fail.
            let _ = write!(
                html,
                "<div class=\"card\"><span class=\"soft\">{}</span><b{class}>{}</b></div>",
                escape(name),
                escape(value)
            );
        }
        self.raw(&(html + "</div>"));
    }

    /// Figures by name, in two columns where there is room.
    pub fn figures(&mut self, rows: &[(String, String)]) {
        let mut html = "<div class=\"figures\">".to_owned();
        for (name, value) in rows {
            let (name, value) = (escape(name), escape(value));
            let _ = write!(html, "<div><span>{name}</span><b>{value}</b></div>");
        }
        self.raw(&(html + "</div>"));
    }

    /// A table; cells are text, with a class where they have one.
    pub fn table(&mut self, head: &[String], rows: &[Vec<(String, &'static str)>]) {
        let mut html = "<div class=\"wide\"><table><thead><tr>".to_owned();
        for cell in head {
            let _ = write!(html, "<th>{}</th>", escape(cell));
        }
        html.push_str("</tr></thead><tbody>");
        for row in rows {
            html.push_str("<tr>");
            for (text, class) in row {
                let _ = write!(html, "<td class=\"{class}\">{}</td>", escape(text));
            }
            html.push_str("</tr>");
        }
        self.raw(&(html + "</tbody></table></div>"));
    }

    /// The whole document.
    pub fn finish(self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{}</title><style>{STYLE}</style></head><body>\n{}</body></html>\n",
            self.title, self.body
        )
    }
}
