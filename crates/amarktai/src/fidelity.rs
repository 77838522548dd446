//! `amarktai fidelity`: the measurement of the simulated exchange, printed.

use crate::cli::Fidelity;
use backtest::fidelity::measure;
use backtest::recording::Recording;
use std::io::Write;
use std::process::ExitCode;

/// Measures and prints; what is wrong with a file goes to stderr.
pub fn run(asked: &Fidelity) -> ExitCode {
    let measured = Recording::open(&asked.files)
        .and_then(|mut tape| measure(&mut tape).map(|fidelity| (tape, fidelity)));
    let (tape, fidelity) = match measured {
        Ok(measured) => measured,
        Err(error) => {
            eprintln!("amarktai: {error}");
            return ExitCode::FAILURE;
        }
    };
    if tape.gaps() > 0 {
        eprintln!("amarktai: {} gaps in the recording: nothing is judged inside", tape.gaps());
    }
    tape.cuts().iter().for_each(|cut| eprintln!("amarktai: {cut}"));
    let text = match asked.json {
        true => format!("{:#}\n", serde_json::json!(fidelity)),
        false => format!("{fidelity}\n"),
    };
    // A reader that went away, as `head`, is no fault of ours.
    let _gone = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
