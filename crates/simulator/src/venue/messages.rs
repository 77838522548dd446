//! Messages on their way to the exchange, by time of arrival. How many of them are orders is counted
//! as they come and go: each order of an account asks, and thousands may be on their way at once.

use super::Message;
use domain::{OrderId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;

/// Room for messages that is kept while none is on its way.
const MESSAGES_KEPT: usize = 16;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Messages {
    queue: VecDeque<(Timestamp, Message)>,
    orders: u32,
}

impl Messages {
    /// Behind whatever arrives at the same time.
    pub(super) fn send(&mut self, due: Timestamp, message: Message) {
        self.orders += u32::from(is_order(&message));
        let at = self.queue.partition_point(|(other, _)| *other <= due);
        self.queue.insert(at, (due, message));
    }

    pub(super) fn front(&self) -> Option<(Timestamp, Message)> {
        self.queue.front().copied()
    }

    pub(super) fn pop_front(&mut self) {
        let gone = self.queue.pop_front();
        self.orders -= u32::from(gone.is_some_and(|(_, message)| is_order(&message)));
    }

    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(Timestamp, &Message) -> bool) {
        self.queue.retain(|(due, message)| is_kept(*due, message));
        self.orders = count(&self.queue);
    }

    /// When an order arrives; `None`: it is not on its way.
    pub(super) fn due(&self, id: OrderId) -> Option<Timestamp> {
        self.queue.iter().find_map(|(due, message)| match message {
            Message::New(order) if order.id == id => Some(*due),
            _ => None,
        })
    }

    pub(super) const fn orders(&self) -> u32 {
        self.orders
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Where thousands of bots ordered in one instant, their messages' room is not kept.
    pub(super) fn give_back_room(&mut self) {
        if self.queue.is_empty() {
            self.queue.shrink_to(MESSAGES_KEPT);
        }
    }
}

const fn is_order(message: &Message) -> bool {
    matches!(message, Message::New(_))
}

fn count(queue: &VecDeque<(Timestamp, Message)>) -> u32 {
    queue.iter().filter(|(_, message)| is_order(message)).count() as u32
}

/// Stored as the list alone: the count follows from it.
impl Serialize for Messages {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.queue.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let queue = VecDeque::deserialize(from)?;
        Ok(Self { orders: count(&queue), queue })
    }
}
