//! People, tokens, sessions and idempotency keys.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{at, batch, open, trade};
use domain::{AccountId, EventKind};
use engine::{EventDraft, Output};
use storage::{
    Claim, ControlAnswer, ControlError, ControlWrite, IdempotencyKey, NewSession, NewToken,
    NewUser, Role, Store, secret_hash,
};

fn ask(store: &Store, write: ControlWrite) -> Result<ControlAnswer, ControlError> {
    store.control(write).unwrap().wait().unwrap()
}

fn user(name: &str, role: Role) -> NewUser {
    NewUser {
        name: name.into(),
        account_id: AccountId(1),
        role,
        password_hash: "$argon2id$v=19$…".into(),
        created_at: at(0),
    }
}

fn token(name: &str, account: Option<u32>, role: Role) -> NewToken {
    NewToken {
        name: name.into(),
        account_id: account.map(AccountId),
        role,
        hash: secret_hash(name),
        created_at: at(0),
    }
}

#[test]
fn the_setup_code_makes_one_first_user_and_is_used_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = |code: &str, name: &str| {
        let (code, user) = (secret_hash(code), user(name, Role::Admin));
        ask(&store, ControlWrite::CreateFirstUser { code, user })
    };
    assert_eq!(first("1234", "anna"), Err(ControlError::WrongSetupCode));
    ask(&store, ControlWrite::SetupCode(Some(secret_hash("1234")))).unwrap();
    assert_eq!(first("9999", "anna"), Err(ControlError::WrongSetupCode));
    assert!(!store.reader().has_users().unwrap() && store.reader().has_setup_code().unwrap());
    assert!(matches!(first("1234", "anna"), Ok(ControlAnswer::Created(_))));
    assert_eq!(first("1234", "bob"), Err(ControlError::AlreadySetUp));
    assert!(!store.reader().has_setup_code().unwrap());
    let anna = store.reader().user_by_name("anna").unwrap().unwrap();
    assert_eq!((anna.role, anna.account_id), (Role::Admin, AccountId(1)));
    let json = serde_json::to_string(&anna).unwrap();
    assert!(!json.contains("argon2"), "{json}");
}

#[test]
fn what_the_tables_refuse_is_refused_and_fails_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let batch_before = store.commit(batch(vec![Output::Trade(trade(1, 1, 1, 60))])).unwrap();
    let nameless = store.control(ControlWrite::CreateUser(user("", Role::Viewer))).unwrap();
    let good = store.control(ControlWrite::CreateUser(user("anna", Role::Trader))).unwrap();
    assert!(matches!(nameless.wait().unwrap(), Err(ControlError::Invalid(_))));
    assert!(good.wait().unwrap().is_ok());
    batch_before.wait().unwrap();
    let again = ask(&store, ControlWrite::CreateUser(user("anna", Role::Viewer)));
    assert_eq!(again, Err(ControlError::NameTaken("anna".into())));
}

#[test]
fn a_token_is_found_by_its_hash_until_it_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let find = || store.reader().token_by_hash(&secret_hash("bot")).unwrap();
    let made = ask(&store, ControlWrite::CreateToken(token("bot", Some(1), Role::Trader)));
    let Ok(ControlAnswer::Created(id)) = made else { panic!("{made:?}") };
    ask(&store, ControlWrite::Touch { hash: secret_hash("bot"), at: at(5) }).unwrap();
    assert_eq!(find().unwrap().last_used_at, Some(at(5)));
    assert_eq!(
        ask(&store, ControlWrite::CreateToken(token("all", None, Role::Trader))),
        Err(ControlError::AccountNeeded("trader")),
    );
    ask(&store, ControlWrite::CreateToken(token("all", None, Role::Admin))).unwrap();
    assert_eq!(store.reader().tokens(Some(AccountId(1))).unwrap().len(), 1);

    let revoke = ControlWrite::RevokeToken { token: id, at: at(6) };
    ask(&store, revoke.clone()).unwrap();
    assert_eq!(find(), None);
    assert_eq!(ask(&store, revoke), Err(ControlError::NotFound("token")));
    // The name is free again; the old row stays.
    let mut anew = token("bot", Some(1), Role::Trader);
    anew.hash = secret_hash("another secret");
    ask(&store, ControlWrite::CreateToken(anew)).unwrap();
    assert_eq!(store.reader().tokens(Some(AccountId(1))).unwrap().len(), 2);
}

#[test]
fn a_session_ends_by_time_by_signing_out_and_with_its_user() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let made = ask(&store, ControlWrite::CreateUser(user("anna", Role::Trader)));
    let Ok(ControlAnswer::Created(user_id)) = made else { panic!("{made:?}") };
    let sign_in = |secret: &str| {
        let hash = secret_hash(secret);
        let session = NewSession { user_id, hash, created_at: at(1), expires_at: at(100) };
        ask(&store, ControlWrite::CreateSession(session))
    };
    let find = |secret: &str, n| {
        store.reader().session_by_hash(&secret_hash(secret), at(n)).unwrap().map(|s| s.user.name)
    };
    for secret in ["a", "b", "c"] {
        sign_in(secret).unwrap();
    }
    assert_eq!(find("a", 99).as_deref(), Some("anna"));
    assert_eq!(find("a", 100), None);
    ask(&store, ControlWrite::RevokeSession { hash: secret_hash("a"), at: at(2) }).unwrap();
    assert_eq!((find("a", 3), find("b", 3).is_some()), (None, true));
    let password_hash = "$argon2id$new".to_owned();
    ask(&store, ControlWrite::SetPassword { user: user_id, password_hash, at: at(4) }).unwrap();
    assert_eq!(find("b", 5), None);
    sign_in("d").unwrap();
    ask(&store, ControlWrite::RevokeUser { user: user_id, at: at(6) }).unwrap();
    assert_eq!(find("d", 7), None);
    assert_eq!(sign_in("e"), Err(ControlError::NotFound("user")));
    assert_eq!(store.reader().user_by_name("anna").unwrap(), None);
}

fn key(name: &str) -> IdempotencyKey {
    let route = "POST /api/bots".into();
    IdempotencyKey { account: Some(AccountId(1)), route, key: name.into() }
}

#[test]
fn an_idempotency_key_gives_the_first_answer_for_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let claim = |name: &str, body: u8, n| {
        let write = ControlWrite::ClaimKey { key: key(name), body_hash: [body; 32], at: at(n) };
        match ask(&store, write) {
            Ok(ControlAnswer::Claimed(claim)) => claim,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(claim("k", 1, 0), Claim::New);
    assert_eq!(claim("k", 1, 1), Claim::InFlight);
    assert_eq!(claim("k", 2, 1), Claim::OtherBody);
    let answer = ControlWrite::AnswerKey { key: key("k"), status: 201, body: "{\"id\":1}".into() };
    ask(&store, answer).unwrap();
    // Answered keys are not freed.
    ask(&store, ControlWrite::ReleaseKey(key("k"))).unwrap();
    let answered = Claim::Answered { status: 201, body: "{\"id\":1}".into() };
    assert_eq!(claim("k", 1, 86_399), answered);
    assert_eq!(claim("k", 1, 86_400), Claim::New);
    ask(&store, ControlWrite::ReleaseKey(key("k"))).unwrap();
    assert_eq!(claim("k", 7, 86_401), Claim::New);
    assert_eq!(claim("old", 1, 0), Claim::New);
    let step = store.retain(at(86_402)).unwrap().wait().unwrap();
    assert_eq!(step.keys, 1);
}

#[test]
fn of_many_claims_at_once_one_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let claims: Vec<_> = (0..40)
        .map(|_| ControlWrite::ClaimKey { key: key("k"), body_hash: [1; 32], at: at(0) })
        .map(|write| store.control(write).unwrap())
        .collect();
    let new = ControlAnswer::Claimed(Claim::New);
    let answers = claims.into_iter().map(|pending| pending.wait().unwrap().unwrap());
    assert_eq!(answers.filter(|answer| *answer == new).count(), 1);
}

#[test]
fn an_event_of_the_server_is_numbered_like_the_cores() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let data = serde_json::json!({"repair": "reconnected"});
    let draft = EventDraft { account_id: None, kind: EventKind::SelfHealing, at: at(1), data };
    ask(&store, ControlWrite::Event(draft)).unwrap();
    let page = store.reader().events_after(Some(AccountId(9)), None, 10).unwrap();
    assert_eq!((page.items[0].seq, page.items[0].kind), (1, EventKind::SelfHealing));
    assert!(store.reader().events_verify().unwrap().ok);
}
