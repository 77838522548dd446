//! The verbs that ask: thin clients of the server's routes.
//!
//! Where a server owns the data directory they speak to it; where nobody does, to the same routes
//! over the data directory itself ([`crate::offline`]). What a verb may do is decided there; here
//! are only names, tables and exit codes.

mod answer;
mod api;
mod bots;
mod failure;
mod lists;
mod password;
mod people;
mod session;
mod table;

use crate::cli::{self, Command};
use crate::config::Config;
use answer::Answer;
use api::Api;
use failure::Failure;
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
    let session = Session::open(config, need(command)).await?;
    let answer = ask(&session.api, command).await;
    session.close().await?;
    answer?.print(is_json(command))
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
        Command::Bots(asked) if matches!(asked.verb, BotsVerb::Create(_)) => Need::Order,
        Command::Policy(_) | Command::EmergencyStop(_) => Need::Order,
        _ => Need::Look,
    }
}

fn is_json(command: &Command) -> bool {
    match command {
        Command::Why { client, .. } => client.json,
        Command::Check { json } | Command::Verify { json } => *json,
        Command::Bots(asked) => asked.client.json,
        Command::Trades(asked) => asked.client.json,
        Command::Orders(asked) => asked.client.json,
        Command::Events(asked) => asked.client.json,
        Command::Wallet(asked) => asked.client.json,
        Command::Policy(asked) => asked.client.json,
        Command::Users(asked) => asked.client.json,
        Command::Tokens(asked) => asked.client.json,
        Command::EmergencyStop(asked) => asked.client.json,
        _ => false,
    }
}

async fn ask(api: &Api, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Why { name, .. } => bots::why(api, name).await,
        Command::Bots(asked) => bots::bots(api, &asked.verb).await,
        Command::Trades(asked) => lists::trades(api, asked).await,
        Command::Orders(asked) => lists::orders(api, asked).await,
        Command::Events(asked) => lists::events(api, asked).await,
        Command::Wallet(asked) => lists::wallet(api, asked.verb.as_ref()).await,
        Command::Users(asked) => people::users(api, asked.verb.as_ref()).await,
        Command::Tokens(asked) => people::tokens(api, asked.verb.as_ref()).await,
        _ => Err(Failure::Usage("this verb is not one of the client's".to_owned())),
    }
}
