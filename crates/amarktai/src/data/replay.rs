//! `replay`: recorded inputs through a fresh engine, compared with the store to the byte.

use super::progress::Progress;
use crate::cli::Replay;
use crate::client::{Answer, Failure};
use crate::config::Config;
use crate::recording::{committed, engine_of, folder};
use backtest::inputs::{Committed, Session, sessions};
use domain::Timestamp;
use engine::{Engine, Input, Output};
use serde_json::json;
use storage::{Batch, Compared, Store, StoreOptions, compare};

/// What was run again.
#[derive(Default)]
struct Run {
    sessions: u64,
    inputs: u64,
    /// Times that were replayed, ends included.
    times: Vec<(Timestamp, Timestamp)>,
    /// Inputs that were committed and are not on the tape.
    lost: u64,
}

pub(super) fn replay(config: &Config, asked: &Replay) -> Result<Answer, Failure> {
    let could_not = |e: &dyn std::fmt::Display| Failure::could_not(e.to_string());
    let database = config.database_path();
    if !database.exists() {
        return Err(Failure::could_not(format!(
            "there is no store in {}",
            config.data_dir.display()
        )));
    }
    // Holds the directory's lock: nobody adds rows while we compare.
    let (store, loaded) =
        Store::open(&database, StoreOptions::default()).map_err(|e| could_not(&e))?;
    let dir = folder(config);
    let all = sessions(&dir).map_err(|e| could_not(&e))?;
    if all.is_empty() {
        let advice = "set inputs = true in [recording], then run, then replay";
        return Err(Failure::could_not(format!("no inputs in {}: {advice}", dir.display())));
    }
    let scratch = tempfile::tempdir().map_err(|e| could_not(&e))?;
    let path = scratch.path().join("replayed.db");
    let (replayed, _) = Store::open(&path, StoreOptions::default()).map_err(|e| could_not(&e))?;
    let mut run = Run::default();
    for (at, session) in all.iter().enumerate() {
        let next = all.get(at + 1).map(|s| s.before);
        let limit = limit(session, next.unwrap_or_else(|| committed(&loaded)));
        session_again(session, limit, &replayed, &mut run)?;
    }
    replayed.close().map_err(|e| could_not(&e))?;
    store.close().map_err(|e| could_not(&e))?;
    let times = cut(&run.times, asked);
    let compared = compare(&database, &path, &times).map_err(|e| could_not(&e))?;
    Ok(answer(&run, &times, &compared))
}

/// What was committed of a session, as the one after it, or the store, knows.
fn limit(session: &Session, known: Option<Committed>) -> u64 {
    known.filter(|k| k.session == session.number).map_or(0, |k| k.inputs)
}

fn session_again(
    session: &Session,
    limit: u64,
    store: &Store,
    run: &mut Run,
) -> Result<(), Failure> {
    let could_not =
        |e: &dyn std::fmt::Display| Failure::could_not(format!("session {}: {e}", session.number));
    let (start, mut inputs) = session.open(limit).map_err(|e| could_not(&e))?;
    let config = engine_of(&start).map_err(|e| could_not(&e))?;
    let mut engine = Engine::restore(config, start.states).map_err(|e| could_not(&e))?;
    let mut time: Option<(Timestamp, Timestamp)> = None;
    let mut progress = Progress::new();
    while let Some(batch) = inputs.next_batch().map_err(|e| could_not(&e))? {
        for input in &batch {
            let (from, to) = time.unwrap_or((input.at, input.at));
            time = Some((from, to.max(input.at)));
        }
        let outputs = apply(&mut engine, &batch);
        if !outputs.is_empty() {
            let batch = Batch { outputs, ..Batch::default() };
            store.commit(batch).map_err(|e| could_not(&e))?;
        }
        progress.say(|| format!("session {}: {} inputs", session.number, inputs.read()));
    }
    progress.end();
    run.sessions += 1;
    run.inputs += inputs.read();
    run.lost += limit - inputs.read();
    run.times.extend(time);
    Ok(())
}

/// As the core's loop does between two commits.
fn apply(engine: &mut Engine, inputs: &[Input]) -> Vec<Output> {
    let mut outputs = Vec::new();
    for input in inputs {
        engine.apply(input, &mut outputs);
    }
    // What it would store of itself is not compared; that it was taken, it remembers.
    drop(engine.take_dirty());
    outputs.retain(|o| !matches!(o, Output::Reply { .. }));
    outputs
}

/// The part of the replayed times that is asked for.
fn cut(times: &[(Timestamp, Timestamp)], asked: &Replay) -> Vec<(Timestamp, Timestamp)> {
    let from = asked.from.unwrap_or(Timestamp::EPOCH);
    let to = asked.to.unwrap_or(Timestamp::MAX);
    let cut = times.iter().map(|(a, b)| ((*a).max(from), (*b).min(to)));
    cut.filter(|(a, b)| a <= b).collect()
}

fn answer(run: &Run, times: &[(Timestamp, Timestamp)], compared: &Compared) -> Answer {
    let mut text = format!("{} sessions, {} inputs\n", run.sessions, run.inputs);
    for (from, to) in times {
        text += &format!("  {from} to {to}\n");
    }
    for (table, rows) in &compared.rows {
        text += &format!("{table}: {rows} rows compared\n");
    }
    for one in &compared.differences {
        text += &format!("only {}: {} {}\n", one.only, one.table, one.row);
    }
    let is_same = compared.different == 0 && run.lost == 0;
    text += match (is_same, times.is_empty()) {
        (true, false) => "the replay is the same to the byte\n",
        (true, true) => "nothing of that time was recorded\n",
        (false, _) => "the replay DIFFERS\n",
    };
    if run.lost > 0 {
        text += &format!("{} committed inputs are not on the tape\n", run.lost);
    }
    let span = |(from, to): &(Timestamp, Timestamp)| json!({ "from": from, "to": to });
    let spans: Vec<_> = times.iter().map(span).collect();
    let json = json!({
        "same": is_same, "sessions": run.sessions, "inputs": run.inputs, "lost_inputs": run.lost,
        "times": spans,
        "rows": compared.rows.iter().map(|(t, n)| ((*t).to_owned(), json!(n)))
            .collect::<serde_json::Map<_, _>>(),
        "different": compared.different,
        "differences": compared.differences,
    });
    let mut answer = Answer::new(json, text);
    answer.exit = u8::from(!is_same || times.is_empty());
    answer
}
