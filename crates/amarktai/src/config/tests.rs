//! What is refused, with which words; which layer wins; what every flag does.

use super::*;

fn file(text: &str) -> Sources {
    let file = FileText { path: "amarktai.toml".into(), text: text.into() };
    Sources { file: Some(file), ..Sources::default() }
}

fn dotenv(text: &str) -> Sources {
    let dotenv = FileText { path: ".env".into(), text: text.into() };
    Sources { dotenv: Some(dotenv), ..Sources::default() }
}

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

fn problems(sources: &Sources) -> Vec<String> {
    let errors = Config::load(sources).err().map_or(Vec::new(), |e| e.0);
    errors.iter().map(ToString::to_string).collect()
}

/// The one problem of the sources starts so, and its `allowed` contains the words.
fn refused(sources: &Sources, start: &str, allowed: &str) {
    let found = problems(sources);
    assert_eq!(found.len(), 1, "one problem expected for {start}: {found:#?}");
    let tail = found[0].strip_prefix(start);
    let tail = tail.unwrap_or_else(|| panic!("{} does not start with {start}", found[0]));
    assert!(tail.contains("allowed: ") && tail.contains(allowed), "{tail} lacks {allowed}");
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.database_path(), PathBuf::from("amarktai-data/amarktai.db"));
    assert_eq!(config.policy, Policy::default());
    assert_eq!(config.account.reporting_currency.as_str(), "ZAR");
    assert_eq!(config.simulator, Simulator { latency_ms_p50: 60, latency_ms_p99: 250, seed: 1 });
    assert!(config.exchanges.get(domain::Exchange::Luno).is_enabled);
    assert!(config.exchanges.luno_key.is_none() && config.warnings.is_empty());
    assert!(config.settings.iter().all(|s| s.origin == Origin::Default));
    config.policy.validate().unwrap();
}

#[test]
fn a_bad_value_in_the_file_is_refused_with_line_key_value_and_what_is_allowed() {
    let table = [
        ("[server]\nlisten = 8000", ":2: server.listen = 8000 ", "an IP address and a port"),
        (
            "[server]\nlisten = \"localhost\"",
            ":2: server.listen = \"localhost\" ",
            "127.0.0.1:8000",
        ),
        ("server.public_url = \"http://a.b\"", ":1: server.public_url = ", "https://"),
        ("server.public_url = \"https://a.b/x\"", ":1: server.public_url = ", "without a path"),
        ("server.trusted_proxies = [\"x\"]", ":1: server.trusted_proxies = [\"x\"] ", "IP addr"),
        ("server.trusted_proxies = [\"::1\", \"::1\"]", ":1: server.trusted_proxies", "each once"),
        ("storage.url = \"postgres://h/d\"", ":1: storage.url = \"postgres://h/d\" ", "not built"),
        ("storage.url = \"sqlite:../a.db\"", ":1: storage.url = ", "inside the data directory"),
        ("storage.url = \"sqlite:/a.db\"", ":1: storage.url = ", "sqlite:FILE"),
        ("storage.url = \"sqlite:\"", ":1: storage.url = ", "sqlite:FILE"),
        ("[exchanges.luno]\n\nenabled = \"yes\"", ":3: exchanges.luno.enabled = \"yes\" ", "true"),
        ("exchanges.luno.enabled = 1", ":1: exchanges.luno.enabled = 1 ", "true, false"),
        ("exchanges.luno.feed = \"Full\"", ":1: exchanges.luno.feed = ", "\"full\" or \"light\""),
        (
            "exchanges.kucoin.rest_url = \"http://10.0.0.1:1\"",
            ":1: exchanges.kucoin.rest_url = \"http://10.0.0.1:1\" ",
            "on loopback only",
        ),
        ("exchanges.kucoin.rest_url = \"http://localhost.evil.com\"", ":1: exch", "loopback only"),
        ("exchanges.kucoin.rest_url = \"https://u:p@a.b\"", ":1: exchanges.kucoin", "https://"),
        ("exchanges.binance.stream_url = \"https://a.b\"", ":1: exchanges.binance", "wss://"),
        ("exchanges.binance.symbols = \"BTC/USDT\"", ":1: exchanges.binance.symbols", "a list"),
        ("exchanges.binance.symbols = [\"BTCUSDT\"]", ":1: exchanges", "BASE/QUOTE"),
        ("exchanges.luno.symbols = [\"XBT/ZAR\"]", ":1: exchanges.luno.symbols", "BTC, also"),
        ("exchanges.luno.poll_interval_ms = 249", ":1: exchanges.luno", "milliseconds from 250"),
        ("exchanges.luno.poll_interval_ms = \"1s\"", ":1: exchanges.luno", "of milliseconds"),
        ("exchanges.luno.poll_interval_ms = 1.5", ":1: exchanges.luno", "a whole number"),
        ("exchanges.luno.poll_interval_ms = -300", ":1: exchanges.luno", "a whole number"),
        ("policy.spread_collar_bp = 0", ":1: policy.spread_collar_bp = 0 ", "basis points from 1"),
        ("policy.daily_loss_max_percent = 0", ":1: policy.daily", "above 0, at most 100"),
        ("policy.daily_loss_max_percent = 100.01", ":1: policy.daily", "at most 100"),
        ("policy.daily_loss_max_percent = \"5%\"", ":1: policy.daily", "without a sign"),
        ("policy.daily_loss_max_percent = nan", ":1: policy.daily", "percent"),
        ("policy.rearm_after_s = 86401", ":1: policy.rearm_after_s", "of seconds from 1 to 86400"),
        ("policy.paper_bots_max.luno = 1e9", ":1: policy.paper_bots_max.luno", "a whole number"),
        ("simulator.seed = -1", ":1: simulator.seed = -1 ", "a whole number from 0"),
        ("simulator.seed = 0x10", ":1: simulator.seed = 0x10 ", "a whole number"),
        (
            "[simulator]\nlatency_ms_p50 = 100\nlatency_ms_p99 = 99",
            ":3: simulator.latency_ms_p99 = 99 is below latency_ms_p50",
            "at least 100",
        ),
        ("account.reporting_currency = \"zar\"", ":1: account.reporting", "in capitals"),
        ("account.timezone = \"Mars/Base\"", ":1: account.timezone = \"Mars/Base\" ", "IANA"),
        ("log_format = \"xml\"", ":1: log_format = \"xml\" ", "\"text\" or \"json\""),
        ("data_dir = \"\"", ":1: data_dir = \"\" ", "a path"),
        ("data_dir = \"a\u{fffd}\"", ":1: data_dir = ", "a path"),
        ("data_dir = 2026-01-01", ":1: data_dir = a date ", "a path"),
        ("token = \"abc\"", ":1: token = *** ", "from the environment or .env only"),
    ];
    for (text, start, allowed) in table {
        refused(&file(text), &format!("amarktai.toml{start}"), allowed);
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_and_its_siblings() {
    let table = [
        ("[server]\nlisen = 1", ":2: server.lisen is not a known key (is server.listen meant?)"),
        (
            "policy.duplicate_window_s = 1",
            ":1: policy.duplicate_window_s is not a known key (is \
                                           policy.duplicate_window_ms meant?)",
        ),
        ("[sever]\nlisten = 1", ":1: sever is not a known section (is server meant?)"),
        ("[exchanges.kraken]", ":1: exchanges.kraken is not a known section"),
        ("[exchanges.binance]\npoll_interval_ms = 9", ":2: exchanges.binance.poll_interval_ms"),
        ("server = 1", ":1: server is a section, not a value"),
        ("[log_format]", ":1: log_format is a value, not a section"),
        ("[[server]]", ":1: server is a section, not a value"),
        ("x = 1", ":1: x is not a known key"),
    ];
    for (text, start) in table {
        refused(&file(text), &format!("amarktai.toml{start}"), "");
    }
    refused(
        &file("[exchanges.kraken]\nenabled = true"),
        "amarktai.toml:1:",
        "binance, kucoin, luno",
    );
    refused(&file("server.x = 1"), "amarktai.toml:1:", "listen, public_url, trusted_proxies");
}

#[test]
fn what_is_given_twice_is_refused_on_the_second_line() {
    let toml = "[server]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"";
    refused(&file(toml), "amarktai.toml:3: server.listen is given twice", "once");
    let section = "[policy]\n[server]\n[policy]";
    refused(&file(section), "amarktai.toml:3: policy is given twice", "section once");
    refused(
        &dotenv("ENABLE_TRADING=1\n# a remark\nexport ENABLE_TRADING=0"),
        ".env:3: ENABLE_TRADING is given twice, first on line 1",
        "once",
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_line_and_the_rest_is_still_checked() {
    let found = problems(&file("[log]\n[server]\nlisten = \nx y"));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with("amarktai.toml:1: log is not a known section"), "{found:#?}");
    assert!(found[1].starts_with("amarktai.toml:3: is not TOML: "), "{found:#?}");
    assert!(found[2].starts_with("amarktai.toml:4: is not TOML: "), "{found:#?}");
}

#[test]
fn a_line_of_dotenv_without_form_is_refused_without_being_repeated() {
    for line in ["hunter2", "ENABLE TRADING=1", "=1", "TOKEN=\"hunter2", "A-B=1"] {
        let found = problems(&dotenv(&format!("\n{line}")));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with(".env:2: this line is no setting"), "{found:#?}");
        assert!(!found[0].contains("hunter2"));
    }
}

#[test]
fn dotenv_takes_quotes_comments_and_export() {
    let text = "# all\nexport ENABLE_TRADING = 'off' # now\nAMARKTAI_LOG_FORMAT=\"json\"\n\
                AMARKTAI_TOKEN=a#b # c";
    let config = Config::load(&dotenv(text)).unwrap();
    assert!(!config.flags.is_trading_enabled());
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!(config.token.unwrap().expose(), "a#b");
}

#[test]
fn an_unknown_variable_of_ours_is_refused_with_the_nearest() {
    refused(
        &environment(&[("AMARKTAI_SERVER__LISTN", "1")]),
        "environment: AMARKTAI_SERVER__LISTN is not a known key (is AMARKTAI_SERVER__LISTEN meant?)",
        "",
    );
    refused(
        &environment(&[("AMARKTAI_server__listen", "1")]),
        "environment: AMARKTAI_server__l",
        "",
    );
    let prefixed = environment(&[("AMARKTAI_ENABLE_TRADING", "0")]);
    refused(&prefixed, "environment: AMARKTAI_ENABLE_TRADING is not a known key", "");
    refused(
        &dotenv("ENABLE_TRADNIG=false"),
        ".env:1: ENABLE_TRADNIG is not a known name (is ENABLE_TRADING meant?)",
        "docs/configuration.md",
    );
}

#[test]
fn a_misspelt_flag_in_the_shared_environment_warns() {
    let config = Config::load(&environment(&[("ENABLE_TRADIN", "0"), ("PATH", "/bin")])).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].contains("is ENABLE_TRADING meant?"));
}

#[test]
fn all_problems_of_all_layers_are_told_at_once_in_order() {
    let mut sources = file("x = 1\n[server]\nlisten = 1\ny = 2");
    sources.dotenv = dotenv("ENABLE_REALTIME=maybe").dotenv;
    sources.environment = environment(&[("AMARKTAI_LOG_FORMAT", "xml")]).environment;
    sources.flags = vec![("--listen", "server.listen", "here".into())];
    sources.unreadable = vec![("other.toml".into(), "not there".into())];
    let found = problems(&sources);
    let places: Vec<&str> = found.iter().map(|p| p.split(": ").next().unwrap()).collect();
    let expected = ["other.toml", "amarktai.toml:1", "amarktai.toml:3", "amarktai.toml:4"];
    assert_eq!(places[..4], expected);
    assert_eq!(places[4..], [".env:1", "environment", "command line"]);
    assert!(found[6].starts_with("command line: --listen = \"here\" is refused; allowed: an IP"));
}

#[test]
fn each_layer_wins_over_those_below_and_is_named() {
    let mut sources = file("server.listen = \"127.0.0.1:1\"");
    let listens = |sources: &Sources| {
        let config = Config::load(sources).unwrap();
        let setting = config.settings.iter().find(|s| s.key == "server.listen").unwrap();
        (config.server.listen.port(), setting.origin.to_string())
    };
    assert_eq!(listens(&sources), (1, "amarktai.toml:1".into()));
    sources.dotenv = dotenv("\nAMARKTAI_SERVER__LISTEN=127.0.0.1:2").dotenv;
    assert_eq!(listens(&sources), (2, ".env:2".into()));
    sources.environment = environment(&[("AMARKTAI_SERVER__LISTEN", "127.0.0.1:3")]).environment;
    assert_eq!(listens(&sources), (3, "environment AMARKTAI_SERVER__LISTEN".into()));
    sources.flags = vec![("--listen", "server.listen", "127.0.0.1:4".into())];
    assert_eq!(listens(&sources), (4, "flag --listen".into()));
}

#[test]
fn a_bad_value_is_refused_even_where_a_higher_layer_covers_it() {
    let mut sources = file("server.listen = \"nowhere\"");
    sources.flags = vec![("--listen", "server.listen", "127.0.0.1:4".into())];
    refused(&sources, "amarktai.toml:1: server.listen", "IP address");
}

#[test]
fn every_flag_flips_in_every_spelling_and_changes_nothing_else() {
    let base = Config::load(&Sources::default()).unwrap().flags;
    type Read = fn(&Flags) -> bool;
    let flags: [(&str, Read); 9] = [
        ("ENABLE_TRADING", Flags::is_trading_enabled),
        ("ENABLE_PAPER_TRADING", Flags::is_paper_trading_enabled),
        ("ENABLE_AUTOPILOT", Flags::is_autopilot_enabled),
        ("ENABLE_BODYGUARD", Flags::is_bodyguard_enabled),
        ("ENABLE_REALTIME", Flags::is_realtime_enabled),
        ("ENABLE_SELF_HEALING", Flags::is_self_healing_enabled),
        ("REQUIRE_WALLET_FUNDED", Flags::is_wallet_funding_required),
        ("REQUIRE_API_KEYS_FOR_LIVE", Flags::are_live_api_keys_required),
        ("ENABLE_LIVE_TRADING", Flags::is_live_trading_enabled),
    ];
    for (name, read) in flags {
        assert_eq!(read(&base), name != "ENABLE_LIVE_TRADING", "{name} by default");
        for word in ["false", "0", "no", "off", "FALSE", "Off"] {
            let flipped = Config::load(&environment(&[(name, word)])).unwrap().flags;
            assert!(!read(&flipped), "{name}={word}");
            let others = flags.iter().filter(|(other, _)| *other != name);
            assert!(others.into_iter().all(|(_, r)| r(&flipped) == r(&base)), "{name}={word}");
        }
        for word in ["true", "1", "yes", "on", "True", "YES"] {
            assert!(read(&Config::load(&dotenv(&format!("{name}={word}"))).unwrap().flags));
        }
        for word in ["", "2", "maybe", "tru", "enabled"] {
            let start = format!("environment: {name} = {word:?} is refused");
            refused(&environment(&[(name, word)]), &start, "1/0, yes/no, on/off");
        }
    }
}

#[test]
fn training_days_and_exchanges_are_flags_with_values() {
    let flags = Config::load(&environment(&[
        ("PAPER_TRAINING_DAYS", "14"),
        ("PAPER_SUPPORTED_EXCHANGES", "Luno, binance"),
    ]))
    .unwrap()
    .flags;
    assert_eq!(flags.paper_training_days(), 14);
    use domain::Exchange::{Binance, Luno};
    assert_eq!(flags.paper_supported_exchanges(), [Luno, Binance]);
    for (name, bad) in [
        ("PAPER_TRAINING_DAYS", "0"),
        ("PAPER_TRAINING_DAYS", "7.5"),
        ("PAPER_SUPPORTED_EXCHANGES", ""),
        ("PAPER_SUPPORTED_EXCHANGES", "luno,kraken"),
        ("PAPER_SUPPORTED_EXCHANGES", "luno,luno"),
    ] {
        refused(&environment(&[(name, bad)]), &format!("environment: {name} = "), "");
    }
}

#[test]
fn a_flag_in_the_file_is_refused() {
    let found = problems(&file("ENABLE_TRADING = false"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("amarktai.toml:1: ENABLE_TRADING is a flag and not read"));
}

#[test]
fn a_secret_is_shown_nowhere() {
    let pairs = [
        ("AMARKTAI_EXCHANGES__LUNO__KEY_ID", "hunter1"),
        ("AMARKTAI_EXCHANGES__LUNO__KEY_SECRET", "hunter2"),
        ("AMARKTAI_TOKEN", "hunter3"),
    ];
    let config = Config::load(&environment(&pairs)).unwrap();
    assert_eq!(config.exchanges.luno_key.as_ref().unwrap().secret.expose(), "hunter2");
    let text = settings_text(&config.settings);
    let json = settings_json(&config.settings).to_string();
    assert!(text.contains("exchanges.luno.key_secret = ***   # environment AMARKTAI_EXCH"));
    assert!(![text, json, format!("{config:?}")].concat().contains("hunter"));
    let bad = problems(&environment(&[("AMARKTAI_TOKEN", "hunter 4")]));
    assert!(bad[0].contains("AMARKTAI_TOKEN = *** is refused"), "{bad:?}");
}

#[test]
fn a_public_address_is_kept_as_browsers_name_the_origin() {
    let config = Config::load(&file("server.public_url = \"https://Bots.Example:443/\"")).unwrap();
    assert_eq!(config.server.public_url.as_deref(), Some("https://bots.example"));
}

#[test]
fn half_a_key_is_refused() {
    refused(
        &environment(&[("AMARKTAI_EXCHANGES__LUNO__KEY_ID", "abc")]),
        "environment: AMARKTAI_EXCHANGES__LUNO__KEY_ID = *** is half a key",
        "together",
    );
}

#[test]
fn the_file_may_set_everything_and_numbers_stay_exact() {
    let text = "data_dir = \"d\"\nlog_format = \"json\"\n\
        [exchanges.binance]\nrest_url = \"http://127.0.0.1:9/\"\nstream_url = \"ws://[::1]:9\"\n\
        symbols = [\"BTC/USDT\", \"ETH/USDT\"]\nfeed = \"light\"\n\
        [policy]\ndaily_loss_max_percent = 4.123456789012\nspread_collar_bp = 1_000\n\
        paper_bots_max = { luno = 7 }\n[simulator]\nseed = 18446744073709551615";
    let config = Config::load(&file(text)).unwrap();
    assert_eq!(config.exchanges.binance.rest_url, "http://127.0.0.1:9");
    assert_eq!(config.exchanges.binance.symbols.len(), 2);
    assert_eq!(config.exchanges.binance.feed, Feed::Light);
    assert_eq!(config.policy.daily_loss_max_percent.to_string(), "4.123456789012");
    assert_eq!(config.policy.spread_collar_bp, 1_000);
    let caps = config.policy.paper_bots_max;
    assert_eq!((caps.luno, caps.binance), (7, 100));
    assert_eq!(config.simulator.seed, u64::MAX);
}

#[test]
fn every_limit_of_the_policy_has_a_key() {
    let keys = Config::load(&Sources::default()).unwrap().settings;
    let policy = serde_json::to_value(Policy::default()).unwrap();
    for (name, value) in policy.as_object().unwrap() {
        let below = value.as_object().map_or(vec![String::new()], |inner| {
            inner.keys().map(|key| format!(".{key}")).collect()
        });
        for rest in below {
            let key = format!("policy.{name}{rest}");
            assert!(keys.iter().any(|s| s.key == key), "{key} cannot be set");
        }
    }
}

#[test]
fn what_is_shown_names_value_and_origin() {
    let config = Config::load(&file("\nlog_format = \"json\"")).unwrap();
    let text = settings_text(&config.settings);
    for line in [
        "log_format = \"json\"   # amarktai.toml:2\n",
        "server.public_url = (not set)   # default\n",
        "exchanges.luno.symbols = [\"BTC/ZAR\"]   # default\n",
        "policy.daily_loss_max_percent = 5   # default\n",
        "ENABLE_TRADING = true   # default\n",
        "PAPER_SUPPORTED_EXCHANGES = \"luno,binance,kucoin\"   # default\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let json = settings_json(&config.settings);
    let json = json.as_array().unwrap();
    let expected = serde_json::json!({
        "key": "log_format", "value": "json", "origin": "amarktai.toml:2"
    });
    assert!(json.contains(&expected));
    assert!(json.iter().any(|s| s["key"] == "ENABLE_TRADING" && s["value"] == true));
}
