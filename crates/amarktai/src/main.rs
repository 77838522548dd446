//! The program: reads the command line and the configuration, and calls what was asked for.
//!
//! Exit codes: 0 done, 1 it could not be done, 2 wrong usage or configuration.

use amarktai::cli::{Cli, Command, ConfigVerb};
use amarktai::config::{Config, Sources, settings_json, settings_text};
use clap::{CommandFactory, Parser};
use std::io::Write;
use std::process::ExitCode;

const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Completions { shell } = cli.command {
        // Answers without a configuration, as a shell asks at each start.
        clap_complete::generate(shell, &mut Cli::command(), "amarktai", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    match Config::load(&Sources::of_process(&cli.common.overrides())) {
        Ok(config) => dispatch(cli.command, &config),
        Err(errors) => fail(&errors.to_string()),
    }
}

fn dispatch(command: Command, config: &Config) -> ExitCode {
    match command {
        Command::Config { verb } => {
            show(config, &verb);
            ExitCode::SUCCESS
        }
        // Said aloud rather than half done.
        Command::Run | Command::Demo => fail("not built"),
        asked => amarktai::client::execute(asked, config),
    }
}

fn show(config: &Config, verb: &ConfigVerb) {
    for warning in &config.warnings {
        eprintln!("amarktai: {warning}");
    }
    let text = match verb {
        ConfigVerb::Check => "the configuration is valid\n".to_owned(),
        ConfigVerb::Show { json: true } => format!("{:#}\n", settings_json(&config.settings)),
        ConfigVerb::Show { json: false } => settings_text(&config.settings),
    };
    // A reader that went away, as `head`, is no fault of ours.
    let _gone = std::io::stdout().write_all(text.as_bytes());
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("amarktai: {reason}");
    ExitCode::from(WRONG_USAGE)
}
