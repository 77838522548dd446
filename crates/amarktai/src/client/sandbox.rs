//! `sandbox`: the local exchange servers alone, with faults from the start and on demand.

use super::answer::out;
use super::failure::Failure;
use crate::cli;
use domain::Exchange;
use sandbox::{Addresses, Fault, FaultSpec, Ports, SandboxConfig};
use std::process::ExitCode;

/// Seconds that a throttling exchange asks for where nobody says.
const RETRY_AFTER_S: u64 = 1;
/// Milliseconds of a delay where nobody says: well over any exchange's own.
const DELAY_MS: u64 = 500;
/// Milliseconds of a clock that is off where nobody says.
const CLOCK_OFFSET_MS: i64 = 5_000;

const NAMES: &str = "drop, delay, gap, duplicate, reorder, crossed, garbage, silence, http429, \
                     http5xx, close and clock_offset";

/// Serves until somebody ends it.
pub(crate) async fn serve(asked: &cli::Sandbox) -> Result<ExitCode, Failure> {
    let mut faults = Vec::new();
    for text in &asked.faults {
        faults.extend(
            parse(text).map_err(|reason| Failure::Usage(format!("--fault {text}: {reason}")))?,
        );
    }
    let config = SandboxConfig {
        seed: asked.seed,
        speed: asked.speed,
        tape: asked.tape.clone(),
        looped: asked.is_looped,
        ports: Ports {
            binance: asked.binance_port,
            kucoin: asked.kucoin_port,
            luno: asked.luno_port,
            control: asked.control_port,
        },
        faults,
        ..SandboxConfig::default()
    };
    // A reader that took the addresses and went away has what it wanted: the servers go on.
    let started = |addresses: &Addresses| drop(out(&text(addresses)));
    let served = sandbox::serve(config, started, super::ended()).await;
    served.map(|()| ExitCode::SUCCESS).map_err(|e| Failure::could_not(e.to_string()))
}

fn text(addresses: &Addresses) -> String {
    let mut text = String::new();
    for (exchange, urls) in Exchange::ALL.iter().zip(&addresses.exchanges) {
        text += &format!("{exchange} rest={} stream={}\n", urls.rest_url, urls.stream_url);
    }
    let control = &addresses.control_url;
    text += &format!("control {control}\n");
    text += &format!(
        "faults: POST {control}/faults {{\"exchange\":\"luno\",\"fault\":\"silence\"}} switches \
         one on, DELETE all off, GET lists them\n"
    );
    text
}

/// `[EXCHANGE:]NAME[=VALUE]`; without an exchange on all of them.
fn parse(text: &str) -> Result<Vec<FaultSpec>, String> {
    let (exchanges, rest) = match text.split_once(':') {
        Some((name, rest)) => {
            let known = "supported are binance, kucoin and luno";
            (vec![Exchange::parse(name).ok_or(known)?], rest)
        }
        None => (Exchange::ALL.to_vec(), text),
    };
    let (name, value) = match rest.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (rest, None),
    };
    let fault = fault(name, value)?;
    let measured =
        !matches!(fault, Fault::Delay { .. } | Fault::Http429 { .. } | Fault::ClockOffset { .. });
    let mut specs: Vec<_> = exchanges.into_iter().map(|e| FaultSpec::new(e, fault)).collect();
    if let Some(value) = value.filter(|_| measured) {
        for spec in &mut specs {
            measure(spec, value)?;
        }
    }
    Ok(specs)
}

/// What goes wrong; a value is its size where it has one.
fn fault(name: &str, value: Option<&str>) -> Result<Fault, String> {
    let wrong = || format!("{:?} is no size: allowed are 500ms, 2s, 500", value.unwrap_or(""));
    let span = |or: u64| value.map_or(Some(or), |v| millis(v, 1)).ok_or_else(wrong);
    Ok(match name {
        "drop" => Fault::Drop,
        "delay" => Fault::Delay { ms: span(DELAY_MS)? },
        "gap" => Fault::Gap,
        "duplicate" => Fault::Duplicate,
        "reorder" => Fault::Reorder,
        "crossed" => Fault::Crossed,
        "garbage" => Fault::Garbage,
        "silence" => Fault::Silence,
        "http429" => {
            let seconds = value.map_or(Some(RETRY_AFTER_S * 1_000), |v| millis(v, 1_000));
            Fault::Http429 { retry_after: seconds.ok_or_else(wrong)?.div_ceil(1_000) }
        }
        "http5xx" => Fault::Http5xx,
        "close" => Fault::Close,
        "clock_offset" => Fault::ClockOffset { ms: offset(value).ok_or_else(wrong)? },
        _ => return Err(format!("{name:?} is no fault; there are {NAMES}")),
    })
}

fn offset(value: Option<&str>) -> Option<i64> {
    let Some(value) = value else { return Some(CLOCK_OFFSET_MS) };
    let (sign, size) = match value.strip_prefix('-') {
        Some(size) => (-1, size),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    };
    Some(sign * i64::try_from(millis(size, 1)?).ok()?)
}

/// How much of a fault that has no size: for how long, how often, or with what chance.
fn measure(spec: &mut FaultSpec, value: &str) -> Result<(), String> {
    if let Some(percent) = value.strip_suffix('%').and_then(|p| p.parse::<f64>().ok()) {
        if percent > 0.0 && percent <= 100.0 {
            spec.probability = percent / 100.0;
            return Ok(());
        }
    } else if let Some(count) = value.strip_suffix('x').and_then(|n| n.parse().ok()) {
        spec.count = Some(count);
        return Ok(());
    } else if let Some(ms) = millis(value, 1_000) {
        spec.duration_ms = Some(ms);
        return Ok(());
    }
    Err(format!("{value:?} is no measure: allowed are 5s or 200ms (for how long), 3x, 10%"))
}

/// `200ms`, `5s`, or a bare number of this many milliseconds.
fn millis(text: &str, bare_ms: u64) -> Option<u64> {
    let (digits, unit_ms) = if let Some(digits) = text.strip_suffix("ms") {
        (digits, 1)
    } else if let Some(digits) = text.strip_suffix('s') {
        (digits, 1_000)
    } else {
        (text, bare_ms)
    };
    digits.parse::<u64>().ok()?.checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_on_all_exchanges_or_on_the_named_one() {
        let all = parse("gap").unwrap();
        assert_eq!(all, Exchange::ALL.map(|e| FaultSpec::new(e, Fault::Gap)));
        let one = parse("luno:silence=5s").unwrap();
        let spec = FaultSpec::new(Exchange::Luno, Fault::Silence);
        assert_eq!(one, [FaultSpec { duration_ms: Some(5_000), ..spec }]);
    }

    #[test]
    fn values_are_sizes_durations_counts_or_chances() {
        let first = |text: &str| parse(text).unwrap().remove(0);
        assert_eq!(first("delay=2s").fault, Fault::Delay { ms: 2_000 });
        assert_eq!(first("delay").fault, Fault::Delay { ms: DELAY_MS });
        assert_eq!(first("http429=3").fault, Fault::Http429 { retry_after: 3 });
        assert_eq!(first("clock_offset=-1500ms").fault, Fault::ClockOffset { ms: -1_500 });
        assert_eq!(first("drop=3x").count, Some(3));
        let half = first("drop=50%").probability;
        assert!((half - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_fault_is_refused_with_what_is_one() {
        for (text, reason) in [
            ("rain", "there are drop,"),
            ("kraken:gap", "supported are binance"),
            ("delay=soon", "no size"),
            ("drop=150%", "no measure"),
            ("gap=", "no measure"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(reason), "{text}: {said}");
        }
    }
}
