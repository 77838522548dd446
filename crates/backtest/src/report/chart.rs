//! Lines over time as inline SVG. The drawing stretches with the page; strokes, dots and labels do
//! not, so that it can be read on a phone too.

use super::page::escape;
use domain::Timestamp;
use std::fmt::Write;

/// Width of the drawing's own coordinates.
const WIDTH: f64 = 1_000.0;

/// A line.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// A colour of the page's style.
    pub(super) colour: &'static str,
    pub(super) points: Vec<(Timestamp, f64)>,
    /// Filled down to zero.
    pub(super) is_area: bool,
}

/// A dot on a chart with what it says.
pub(super) struct Dot {
    pub(super) at: Timestamp,
    pub(super) value: f64,
    pub(super) colour: &'static str,
    pub(super) title: String,
}

struct Scale {
    from: i64,
    to: i64,
    low: f64,
    high: f64,
    height: f64,
}

impl Scale {
    fn of(lines: &[Line<'_>], height: f64) -> Option<Self> {
        let all = || lines.iter().flat_map(|line| line.points.iter());
        let (from, to) = (all().map(|p| p.0.0).min()?, all().map(|p| p.0.0).max()?);
        let low = all().map(|p| p.1).fold(f64::INFINITY, f64::min);
        let high = all().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
        let room = ((high - low) * 0.06).max(high.abs() * 1e-6).max(1e-9);
        let is_area = lines.iter().any(|line| line.is_area);
        let high = if is_area { high } else { high + room };
        Some(Self { from, to, low: low - room, high, height })
    }

    fn x(&self, at: Timestamp) -> f64 {
        let span = (self.to - self.from).max(1) as f64;
        (at.0 - self.from) as f64 / span * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        (self.high - value) / (self.high - self.low).max(1e-12) * self.height
    }
}

/// The chart as markup; empty where there is nothing to draw.
pub(super) fn chart(
    lines: &[Line<'_>],
    dots: &[Dot],
    height: u32,
    label: &dyn Fn(f64) -> String,
) -> String {
    let tall = f64::from(height);
    let Some(scale) = Scale::of(lines, tall) else { return String::new() };
    let names: Vec<&str> = lines.iter().map(|line| line.name).collect();
    let mut html = format!(
        "<div class=\"chart\" style=\"height:{height}px\"><svg viewBox=\"0 0 {WIDTH} {tall}\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        escape(&names.join(", "))
    );
    for part in [0.25, 0.5, 0.75] {
        let y = tall * part;
        let _ = write!(
            html,
            "<path d=\"M0 {y:.1}H{WIDTH}\" stroke=\"var(--line)\" \
             vector-effect=\"non-scaling-stroke\"/>"
        );
    }
    lines.iter().for_each(|line| draw(&mut html, line, &scale));
    for dot in dots {
        let (x, y) = (scale.x(dot.at), scale.y(dot.value));
        let _ = write!(
            html,
            "<path d=\"M{x:.2} {y:.2}h0\" stroke=\"var(--{})\" stroke-width=\"7\" \
             stroke-linecap=\"round\" vector-effect=\"non-scaling-stroke\"><title>{}</title></path>",
            dot.colour,
            escape(&dot.title)
        );
    }
    html.push_str("</svg>");
    labels(&mut html, &scale, label);
    html.push_str("</div>");
    if lines.len() > 1 {
        legend(&mut html, lines);
    }
    html
}

fn draw(html: &mut String, line: &Line<'_>, scale: &Scale) {
    let mut path = String::new();
    for (n, (at, value)) in line.points.iter().enumerate() {
        let step = if n == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{step}{:.1} {:.1}", scale.x(*at), scale.y(*value));
    }
    if line.is_area {
        let ground = scale.y(0.0);
        let _ = write!(
            html,
            "<path d=\"{path}L{WIDTH} {ground:.1}L0 {ground:.1}Z\" fill=\"var(--{})\" \
             opacity=\"0.25\"/>",
            line.colour
        );
    }
    let _ = write!(
        html,
        "<path d=\"{path}\" fill=\"none\" stroke=\"var(--{})\" stroke-width=\"1.5\" \
         vector-effect=\"non-scaling-stroke\"/>",
        line.colour
    );
}

fn labels(html: &mut String, scale: &Scale, label: &dyn Fn(f64) -> String) {
    for part in [0.25, 0.5, 0.75] {
        let value = scale.high - (scale.high - scale.low) * part;
        let _ = write!(
            html,
            "<span style=\"left:2px;top:calc({}% - 9px)\">{}</span>",
            part * 100.0,
            escape(&label(value))
        );
    }
    // Two equal days tell nothing: within some days the minute is said.
    let length = if scale.to - scale.from < 3 * Timestamp::DAY.0 { 16 } else { 10 };
    let day = |at: i64| {
        let text: String = Timestamp(at).to_string().chars().take(length).collect();
        text.replace('T', " ")
    };
    let _ = write!(
        html,
        "<span style=\"left:2px;bottom:2px\">{}</span>\
         <span style=\"right:2px;bottom:2px\">{}</span>",
        day(scale.from),
        day(scale.to)
    );
}

fn legend(html: &mut String, lines: &[Line<'_>]) {
    html.push_str("<p class=\"soft legend\">");
    for line in lines {
        let _ = write!(
            html,
            "<i style=\"background:var(--{})\"></i>{}",
            line.colour,
            escape(line.name)
        );
    }
    html.push_str("</p>");
}
