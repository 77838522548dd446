//! The program: reads the command line and the configuration, and calls what was asked for.
//!
//! Exit codes: 0 done, 1 it could not be done, 2 wrong usage or configuration, 70 the core did not
//! advance, 74 the store could not be written.

use amarktai::cli::{Cli, Command, ConfigVerb};
use amarktai::config::{Config, Sources, settings_json, settings_text};
use amarktai::research;
use clap::{CommandFactory, Parser};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Completions { shell } = cli.command {
        // Answers without a configuration, as a shell asks at each start.
        clap_complete::generate(shell, &mut Cli::command(), "amarktai", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    let mut overrides = cli.common.overrides();
    // Theirs is a file of bots, not the configuration.
    let plan = match cli.command {
        Command::Backtest(_) | Command::Sweep(_) => overrides.config.take(),
        _ => None,
    };
    match Config::load(&Sources::of_process(&overrides)) {
        Ok(config) => dispatch(cli.command, plan.as_deref(), &config),
        Err(errors) => fail(&errors.to_string()),
    }
}

fn dispatch(command: Command, plan: Option<&Path>, config: &Config) -> ExitCode {
    match command {
        Command::Backtest(asked) => research::backtest(&asked, plan, config),
        Command::Sweep(asked) => research::sweep(&asked, plan, config),
        Command::Config { verb } => {
            show(config, &verb);
            ExitCode::SUCCESS
        }
        Command::Run => serve(config, amarktai::run::run(config)),
        Command::Fidelity(asked) => amarktai::fidelity::run(&asked),
        Command::Demo => serve(config, amarktai::demo::demo(config)),
        asked => amarktai::client::execute(asked, config),
    }
}

/// Runs until it is ended; logs go to stderr.
fn serve(
    config: &Config,
    product: impl Future<Output = Result<(), amarktai::run::RunError>>,
) -> ExitCode {
    if let Err(error) = amarktai::logging::init(config.log_format) {
        return fail(&error.to_string());
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    let ended = runtime.block_on(product);
    // Whatever is still asleep does not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(error.exit_code())
        }
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
