//! Client order ids: how orders of ours are known on an exchange.

use domain::OrderId;

/// Longest tag: with it an id has at most the 36 characters that Binance takes.
const TAG_MAX: usize = 8;

/// Names the orders of one installation: `amk-TAG-BOT-SEQ`.
///
/// Our own ids count from 1, so a store that was made anew would use them again, and Binance takes
/// an old id once more after its order has ended. The tag, drawn once per store, keeps an answer
/// about an order of ours from being about another installation's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientIds {
    prefix: String,
}

/// Not a tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tag of client order ids is 1 to {TAG_MAX} letters and digits, not {0:?}")]
pub struct ClientIdsError(String);

impl ClientIds {
    /// With an installation's tag.
    ///
    /// # Errors
    /// When the tag is not of letters and digits, or too long.
    pub fn new(tag: &str) -> Result<Self, ClientIdsError> {
        let is_tag =
            (1..=TAG_MAX).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_tag {
            return Err(ClientIdsError(tag.chars().take(40).collect()));
        }
        Ok(Self { prefix: format!("{}-{tag}-", OrderId::CLIENT_PREFIX) })
    }

    /// Whose orders are named without a tag: [`OrderId::client_order_id`].
    pub fn untagged() -> Self {
        Self { prefix: format!("{}-", OrderId::CLIENT_PREFIX) }
    }

    /// The name of an order.
    pub fn name(&self, id: OrderId) -> String {
        format!("{}{}-{}", self.prefix, id.bot, id.seq)
    }

    /// The order behind a name, if it is one of this installation's.
    pub fn id(&self, name: &str) -> Option<OrderId> {
        let (bot, seq) = name.strip_prefix(&self.prefix)?.split_once('-')?;
        let id = OrderId { bot: domain::BotId(bot.parse().ok()?), seq: seq.parse().ok()? };
        // `+1` and `01` parse as well, and are not ours.
        (self.name(id) == name).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BotId;

    #[test]
    fn own_names_are_read_back_and_foreign_ones_are_not() {
        let ids = ClientIds::new("k3Xy").unwrap();
        let id = OrderId { bot: BotId(u32::MAX), seq: u32::MAX };
        let name = ids.name(id);
        assert!(name.len() <= 36, "{name}");
        assert_eq!(ids.id(&name), Some(id));
        for foreign in ["", "amk-7-3", "amk-other-7-3", "amk-k3Xy-7", "amk-k3Xy-+7-3", "web_1"] {
            assert_eq!(ids.id(foreign), None, "{foreign}");
        }
        let plain = ClientIds::untagged();
        let id = OrderId { bot: BotId(7), seq: 3 };
        assert_eq!(plain.name(id), id.client_order_id());
        assert_eq!(plain.id("amk-7-3"), Some(id));
        assert_eq!(plain.id("amk-k3Xy-7-3"), None);
    }

    #[test]
    fn tag_that_an_exchange_would_refuse_is_refused() {
        for tag in ["", "a-b", "123456789", "ä"] {
            assert!(ClientIds::new(tag).is_err(), "{tag}");
        }
    }
}
