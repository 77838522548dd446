//! What an operator sets: the master key, backups, notifications.

use super::kind::{self, ClockTime, Secret};
use super::reader::Reader;
use std::path::PathBuf;

/// Where the master key of the key vault comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKey {
    /// The key itself, from the environment.
    pub text: Option<Secret>,
    /// Its file; without it one in the data directory.
    pub file: Option<PathBuf>,
}

impl MasterKey {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let text = reader.optional(
            "master_key",
            "The key vault's master key, 64 hexadecimal digits; a file is the better place.",
            &kind::secret(),
        );
        let file = reader.optional(
            "master_key_file",
            "The master key's file (mode 0600); without it `master.key` in the data directory.",
            &kind::directory(),
        );
        if text.is_some() && file.is_some() {
            let wrong = "is given twice";
            reader.contradiction("master_key", wrong, "master_key or master_key_file, not both");
        }
        Self { text, file }
    }
}

/// `[backups]`: copies of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupsConfig {
    /// Relative to the data directory.
    pub directory: PathBuf,
    /// Between two of them; 0: only by hand.
    pub every_hours: u32,
    /// The oldest beyond these are removed.
    pub keep: u32,
}

impl BackupsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            directory: reader.value(
                "backups.directory",
                "Where copies of the store are kept, relative to the data directory; better on \
                 another disk.",
                &kind::directory(),
                PathBuf::from("backups"),
            ),
            every_hours: reader.value(
                "backups.every_hours",
                "Time between two scheduled backups; 0: only by hand.",
                &kind::whole32(" of hours", 0, 720),
                24,
            ),
            keep: reader.value(
                "backups.keep",
                "How many are kept; the oldest beyond them are removed.",
                &kind::whole32("", 1, 1_000),
                7,
            ),
        }
    }
}

/// `[notify]`: who is told what happens, and when not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyConfig {
    /// Receives signed JSON.
    pub webhook_url: Option<String>,
    /// Signs it.
    pub webhook_secret: Option<Secret>,
    /// The Telegram bot's token.
    pub telegram_token: Option<Secret>,
    /// The one chat that is told and may order.
    pub telegram_chat: Option<i64>,
    /// Where Telegram's API is.
    pub telegram_url: String,
    /// The Discord channel's webhook.
    pub discord_url: Option<Secret>,
    /// The Slack channel's webhook.
    pub slack_url: Option<Secret>,
    /// `smtps://USER:PASSWORD@HOST:PORT`.
    pub smtp_url: Option<Secret>,
    /// Sender of e-mail.
    pub email_from: Option<String>,
    /// Receiver of e-mail.
    pub email_to: Option<String>,
    /// Pinged each minute.
    pub heartbeat_url: Option<Secret>,
    /// Nothing that can wait is told from here …
    pub quiet_from: Option<ClockTime>,
    /// … to here, in the account's time zone.
    pub quiet_to: Option<ClockTime>,
    /// When the day's digest of paper fills is told.
    pub digest_at: ClockTime,
}

impl NotifyConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let hook = kind::address("https", "http");
        let config = Self {
            webhook_url: reader.optional(
                "notify.webhook_url",
                "Receives each notice as signed JSON.",
                &hook,
            ),
            webhook_secret: reader.optional(
                "notify.webhook_secret",
                "Signs what the webhook receives (HMAC-SHA256).",
                &kind::secret(),
            ),
            telegram_token: reader.optional(
                "notify.telegram_token",
                "The token of the Telegram bot.",
                &kind::secret(),
            ),
            telegram_chat: reader.optional(
                "notify.telegram_chat",
                "The one chat that is told and may order.",
                &kind::chat(),
            ),
            telegram_url: reader.value(
                "notify.telegram_url",
                "Where Telegram's API is.",
                &hook,
                "https://api.telegram.org".to_owned(),
            ),
            discord_url: reader.optional(
                "notify.discord_url",
                "Webhook of a Discord channel; it holds a secret.",
                &kind::secret_address(),
            ),
            slack_url: reader.optional(
                "notify.slack_url",
                "Webhook of a Slack channel; it holds a secret.",
                &kind::secret_address(),
            ),
            smtp_url: reader.optional(
                "notify.smtp_url",
                "Mail server, as smtps://USER:PASSWORD@HOST:465 (plain smtp:// on loopback only).",
                &kind::mail_server(),
            ),
            email_from: reader.optional("notify.email_from", "Sender of e-mail.", &kind::mailbox()),
            email_to: reader.optional("notify.email_to", "Receiver of e-mail.", &kind::mailbox()),
            heartbeat_url: reader.optional(
                "notify.heartbeat_url",
                "Fetched each minute while all is well, so that somebody outside notices silence.",
                &kind::secret_address(),
            ),
            quiet_from: reader.optional(
                "notify.quiet_from",
                "From here on only what is urgent is told.",
                &kind::clock_time(),
            ),
            quiet_to: reader.optional(
                "notify.quiet_to",
                "From here on the rest is told, too.",
                &kind::clock_time(),
            ),
            digest_at: reader.value(
                "notify.digest_at",
                "When the day's paper trades are told, in the account's time zone.",
                &kind::clock_time(),
                ClockTime { hour: 7, minute: 0 },
            ),
        };
        config.check(reader);
        config
    }

    /// Half a channel is a mistake, not a choice.
    fn check(&self, reader: &mut Reader) {
        let mail = self.smtp_url.is_some();
        let pairs = [
            ("notify.webhook_secret", self.webhook_secret.is_some(), self.webhook_url.is_some()),
            ("notify.webhook_url", self.webhook_url.is_some(), self.webhook_secret.is_some()),
            ("notify.telegram_token", self.telegram_token.is_some(), self.telegram_chat.is_some()),
            ("notify.telegram_chat", self.telegram_chat.is_some(), self.telegram_token.is_some()),
            ("notify.smtp_url", mail, self.email_from.is_some() && self.email_to.is_some()),
            ("notify.email_to", self.email_to.is_some(), mail),
            ("notify.email_from", self.email_from.is_some(), mail),
            ("notify.quiet_from", self.quiet_from.is_some(), self.quiet_to.is_some()),
            ("notify.quiet_to", self.quiet_to.is_some(), self.quiet_from.is_some()),
        ];
        for (key, is_given, has_rest) in pairs {
            if is_given && !has_rest {
                let allowed = "webhook_url with webhook_secret, telegram_token with \
                               telegram_chat, smtp_url with email_from and email_to, quiet_from \
                               with quiet_to";
                reader.contradiction(key, "is half of a pair", allowed);
            }
        }
    }
}
