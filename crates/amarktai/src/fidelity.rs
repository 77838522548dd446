//! `amarktai fidelity`: the measurement of the simulated exchange, printed.

use crate::cli::Fidelity;
use backtest::fidelity::measure;
use backtest::raw::Tape;
use std::io::Write;
use std::process::ExitCode;

/// Measures and prints; what is wrong with a file goes to stderr.
pub fn run(asked: &Fidelity) -> ExitCode {
    let tape = match Tape::open(&asked.files) {
        Ok(tape) => tape,
        Err(error) => {
            eprintln!("amarktai: {error}");
            return ExitCode::FAILURE;
        }
    };
    if tape.gaps() > 0 {
        eprintln!("amarktai: {} gaps in the recording: nothing is judged inside", tape.gaps());
    }
    let fidelity = measure(&tape);
    let text = match asked.json {
        true => format!("{:#}\n", serde_json::json!(fidelity)),
        false => format!("{fidelity}\n"),
    };
    // A reader that went away, as `head`, is no fault of ours.
    let _gone = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
