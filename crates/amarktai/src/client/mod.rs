//! The verbs that ask: thin clients of the server's routes.
//!
//! Where a server owns the data directory they speak to it; where nobody does, to the same routes
//! over the data directory itself ([`crate::offline`]). What a verb may do is decided there; here
//! are only names, tables and exit codes.

mod answer;
mod api;
mod autopilot;
mod backup;
mod bots;
mod check;
mod evidence;
mod failure;
mod follow;
mod keys;
mod lists;
mod password;
mod people;
mod policy;
mod sandbox;
mod session;
mod setup_code;
mod stop;
mod table;
mod update;
mod verify;

use crate::cli::{self, Command};
use crate::config::Config;
use crate::data;
pub(crate) use answer::Answer;
use api::Api;
pub(crate) use failure::Failure;
use session::{Need, Session};
use std::process::ExitCode;

/// Carries a verb out and prints what came of it.
pub fn execute(command: Command, config: &Config) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(carry_out(&command, config)),
        Err(e) => Err(Failure::could_not(format!("the runtime cannot start: {e}"))),
    };
    result.unwrap_or_else(|failure| {
        if !matches!(failure, Failure::NobodyReads) {
            eprintln!("amarktai: {failure}");
        }
        failure.exit_code()
    })
}

async fn carry_out(command: &Command, config: &Config) -> Result<ExitCode, Failure> {
    let is_json = is_json(command);
    match command {
        Command::Sandbox(asked) => return sandbox::serve(asked).await,
        Command::Data(asked) => return data::data(config, &asked.verb).await?.print(is_json),
        Command::Replay(asked) => return data::replay(config, asked)?.print(is_json),
        Command::Record(asked) => return data::record(config, asked).await?.print(is_json),
        Command::Events(asked) if asked.follow => return follow::follow(config, asked).await,
        Command::SetupCode => return setup_code::setup_code(config)?.print(is_json),
        Command::EmergencyStop(asked) if !asked.clear => {
            return stop::pull(config, asked).await?.print(is_json);
        }
        Command::Check(asked) if asked.live => return check::live(config).await?.print(is_json),
        Command::Check(_) => return check::check(config).await?.print(is_json),
        Command::Verify(asked) => {
            return verify::verify(config, asked.file.as_deref()).await?.print(is_json);
        }
        Command::Backup(asked) => {
            return backup::backup(config, asked.to.as_deref()).await?.print(is_json);
        }
        Command::Restore(asked) => return backup::restore(config, &asked.file)?.print(is_json),
        Command::Export(asked) => return crate::books::export(config, &asked.verb),
        Command::Update(asked) => return update::update(config, asked).await?.print(is_json),
        _ => {}
    }
    // Before the lock is taken: a person types as long as it takes.
    let password = password(command)?;
    let secret = keys::ask(command)?;
    let session = Session::open(config, need(command)).await?;
    if session.here.is_some() && matches!(command, Command::Bots(_) | Command::Why { .. }) {
        let dir = config.data_dir.display();
        eprintln!("amarktai: no server runs on {dir}: bots do nothing until `amarktai run`");
    }
    let answer = ask(&session.api, command, password, secret).await;
    session.close().await?;
    answer?.print(is_json)
}

/// What a verb needs of the data directory.
fn need(command: &Command) -> Need {
    use cli::{BotsVerb, TokensVerb, UsersVerb};
    match command {
        Command::Tokens(asked) if matches!(asked.verb, Some(TokensVerb::Create { .. })) => {
            Need::Found
        }
        Command::Users(asked) if matches!(asked.verb, Some(UsersVerb::Create { .. })) => {
            Need::Found
        }
        Command::Wallet(asked) if asked.verb.is_some() => Need::Order,
        Command::Keys(cli::Keys { verb: Some(cli::KeysVerb::Set { .. }), .. }) => Need::Found,
        Command::Bots(asked) if matches!(asked.verb, BotsVerb::Create(_)) => Need::Order,
        _ => Need::Look,
    }
}

/// Of whoever is to be made.
fn password(command: &Command) -> Result<Option<String>, Failure> {
    match command {
        Command::Users(cli::Users { verb: Some(cli::UsersVerb::Create { name, .. }), .. }) => {
            password::ask(name).map(Some)
        }
        _ => Ok(None),
    }
}

fn is_json(command: &Command) -> bool {
    match command {
        Command::Why { client, .. } => client.json,
        Command::Evidence(asked) => asked.client.json,
        Command::Check(asked) => asked.json,
        Command::Verify(asked) => asked.json,
        Command::Backup(asked) => asked.json,
        Command::ResumeEntries(asked) => asked.client.json,
        Command::Restore(asked) => asked.json,
        Command::Keys(asked) => asked.client.json,
        Command::Data(asked) => asked.json,
        Command::Replay(asked) => asked.json,
        Command::Bots(asked) => asked.client.json,
        Command::Trades(asked) => asked.client.json,
        Command::Orders(asked) => asked.client.json,
        Command::Events(asked) => asked.client.json,
        Command::Wallet(asked) => asked.client.json,
        Command::Policy(asked) => asked.client.json,
        Command::Autopilot(asked) => asked.client.json,
        Command::Users(asked) => asked.client.json,
        Command::Tokens(asked) => asked.client.json,
        Command::EmergencyStop(asked) => asked.client.json,
        _ => false,
    }
}

async fn ask(
    api: &Api,
    command: &Command,
    password: Option<String>,
    secret: Option<serde_json::Value>,
) -> Result<Answer, Failure> {
    match command {
        Command::Why { name, .. } => bots::why(api, name).await,
        Command::Bots(asked) => bots::bots(api, &asked.verb).await,
        Command::Evidence(asked) => {
            evidence::evidence(api, &asked.name, asked.out.as_deref()).await
        }
        Command::Trades(asked) => lists::trades(api, asked).await,
        Command::Orders(asked) => lists::orders(api, asked).await,
        Command::Events(asked) => lists::events(api, asked).await,
        Command::Wallet(asked) => lists::wallet(api, asked.verb.as_ref()).await,
        Command::Policy(asked) => policy::policy(api, asked.verb.as_ref()).await,
        Command::Autopilot(asked) => autopilot::autopilot(api, asked.verb.as_ref()).await,
        Command::Keys(asked) => keys::keys(api, asked.verb.as_ref(), secret).await,
        Command::EmergencyStop(asked) => stop::stop(api, asked).await,
        Command::ResumeEntries(_) => stop::resume_entries(api).await,
        Command::Users(asked) => people::users(api, asked.verb.as_ref(), password).await,
        Command::Tokens(asked) => people::tokens(api, asked.verb.as_ref()).await,
        _ => Err(Failure::Usage("this verb is not one of the client's".to_owned())),
    }
}

/// Ends when somebody wants this process to: Ctrl-C, or what `kill` and service managers send.
pub(crate) async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        },
        Err(_) => drop(interrupted.await),
    }
}
