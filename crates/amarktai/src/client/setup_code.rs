//! `setup-code`: what the first owner types, as the running server wrote it down.

use super::answer::Answer;
use super::failure::Failure;
use crate::config::Config;
use serde_json::json;
use std::io::ErrorKind;
use storage::ReadPool;

/// Written by the running server until the first owner exists.
const FILE: &str = "setup-code";

/// Prints it and nothing else. The file of a running server outlives the code that was used up.
pub(crate) fn setup_code(config: &Config) -> Result<Answer, Failure> {
    let dir = config.data_dir.display();
    if has_owner(config) {
        let why = "exists, so there is no setup code; sign in";
        return Err(Failure::could_not(format!("the first owner of {dir} {why}")));
    }
    let path = config.data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let code = text.trim();
            Ok(Answer::new(json!(code), format!("{code}\n")))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Err(Failure::could_not(format!(
            "there is no setup code in {dir} yet: `amarktai run` makes it at its first start"
        ))),
        Err(e) => Err(Failure::could_not(format!("{}: {e}", path.display()))),
    }
}

fn has_owner(config: &Config) -> bool {
    let reader = ReadPool::open(&config.database_path(), 1).ok();
    reader.and_then(|reader| reader.has_users().ok()) == Some(true)
}
