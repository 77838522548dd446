//! One client socket: what the dialogue of an exchange answers, the frames of the hub, the
//! heartbeat, and the faults between all that and the wire.

use crate::core::Core;
use crate::faults::{Fault, Target};
use crate::hub::{Frame, Hub, Subscriptions};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use domain::Exchange;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::Instant;

/// What a dialogue wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Send this.
    Say(String),
    /// Send a protocol ping with this payload.
    Ping(Vec<u8>),
    /// Say farewell.
    Close(u16, &'static str),
}

/// How an exchange talks on one socket.
pub(crate) trait Dialogue: Send + 'static {
    /// Which one.
    const EXCHANGE: Exchange;
    /// Whether it sends its JSON in binary frames.
    const BINARY: bool = false;

    /// What it says before anything is asked.
    fn hello(&mut self) -> Vec<Reply> {
        Vec::new()
    }
    /// What the URL asked for.
    fn joined(&mut self, _subs: &mut Subscriptions) {}
    /// An incoming text.
    fn heard(&mut self, text: &str, subs: &mut Subscriptions) -> Vec<Reply>;
    /// An incoming protocol ping (false) or pong (true).
    fn control(&mut self, pong: bool) -> Vec<Reply>;
    /// Once in a while: heartbeats, deadlines.
    fn tick(&mut self) -> Vec<Reply>;
    /// The text of a frame for this socket.
    fn wrap(&self, frame: &Frame) -> String;
    /// The same text with crossed prices, if it shows prices.
    fn crossed(text: &str) -> Option<String>;
}

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);

/// Talks until either side has enough.
pub(crate) async fn run<D: Dialogue>(mut socket: WebSocket, mut dialogue: D, core: Arc<Core>) {
    let hub: Arc<Hub> = core.hub(D::EXCHANGE);
    let mut batches = hub.listen();
    let mut subs = Subscriptions::new(hub);
    let mut gate = Gate::default();
    let (mut stop, mut switched) = (core.stopped(), core.faults.watch());
    let mut tick = tokio::time::interval(TICK);
    dialogue.joined(&mut subs);
    if !answer::<D>(&mut socket, &core, dialogue.hello()).await {
        return;
    }
    loop {
        let due = gate.due().unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600));
        let going = tokio::select! {
            () = ended(&mut stop) => {
                answer::<D>(&mut socket, &core, vec![Reply::Close(1001, "going away")]).await
            }
            _ = switched.changed() => stays_open::<D>(&mut socket, &core).await,
            () = tokio::time::sleep_until(due) => gate.flush::<D>(&mut socket).await,
            message = socket.recv() => match message {
                Some(Ok(message)) => {
                    let replies = hear(&mut dialogue, &message, &mut subs);
                    answer::<D>(&mut socket, &core, replies).await
                }
                Some(Err(_)) | None => false,
            },
            _ = tick.tick() => answer::<D>(&mut socket, &core, dialogue.tick()).await,
            batch = batches.recv() => match batch {
                Ok(batch) => {
                    for frame in batch.iter().filter(|f| subs.wants(f)) {
                        gate.pass::<D>(&core, frame, dialogue.wrap(frame));
                    }
                    gate.flush::<D>(&mut socket).await
                }
                // A reader this slow is cut off, as the exchanges do.
                Err(RecvError::Lagged(_) | RecvError::Closed) => {
                    let slow = vec![Reply::Close(1008, "too slow")];
                    answer::<D>(&mut socket, &core, slow).await
                }
            },
        };
        if !going {
            return;
        }
    }
}

async fn ended(stop: &mut watch::Receiver<bool>) {
    // An error means that the core is gone, which is an end as well.
    let _ = stop.wait_for(|s| *s).await;
}

fn hear<D: Dialogue>(dialogue: &mut D, message: &Message, subs: &mut Subscriptions) -> Vec<Reply> {
    match message {
        Message::Text(text) => dialogue.heard(text, subs),
        Message::Binary(bytes) => dialogue.heard(&String::from_utf8_lossy(bytes), subs),
        Message::Ping(_) => dialogue.control(false),
        Message::Pong(_) => dialogue.control(true),
        Message::Close(_) => vec![Reply::Close(1000, "")],
    }
}

const fn anything<D: Dialogue>() -> Target<'static> {
    Target { exchange: D::EXCHANGE, symbol: "", stream: "" }
}

async fn stays_open<D: Dialogue>(socket: &mut WebSocket, core: &Core) -> bool {
    let closes = core.faults.hit(anything::<D>(), |f| f == Fault::Close).is_some();
    !closes || answer::<D>(socket, core, vec![Reply::Close(1001, "closed on demand")]).await
}

async fn answer<D: Dialogue>(socket: &mut WebSocket, core: &Core, replies: Vec<Reply>) -> bool {
    for reply in replies {
        let silent = core.faults.hit(anything::<D>(), |f| f == Fault::Silence).is_some();
        let message = match reply {
            Reply::Close(code, reason) => {
                let frame = CloseFrame { code, reason: reason.into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
                return false;
            }
            _ if silent => continue,
            Reply::Say(text) => message::<D>(text),
            Reply::Ping(payload) => Message::Ping(payload.into()),
        };
        if socket.send(message).await.is_err() {
            return false;
        }
    }
    true
}

fn message<D: Dialogue>(text: String) -> Message {
    if D::BINARY { Message::Binary(text.into_bytes().into()) } else { Message::Text(text.into()) }
}

/// The faults of one socket.
#[derive(Default)]
struct Gate {
    queue: VecDeque<(Instant, String)>,
    /// A frame that waits for its successor (reorder).
    held: Option<String>,
}

/// Frames a delayed socket may hold; beyond that the delay gives way.
const QUEUE_MAX: usize = 50_000;

impl Gate {
    fn due(&self) -> Option<Instant> {
        self.queue.front().map(|(due, _)| *due)
    }

    fn pass<D: Dialogue>(&mut self, core: &Core, frame: &Frame, text: String) {
        let target = Target { exchange: D::EXCHANGE, symbol: &frame.symbol, stream: &frame.key };
        let kinds = if frame.book { on_book } else { on_any };
        let now = Instant::now();
        match core.faults.hit(target, kinds) {
            None => self.push(now, text),
            Some(Fault::Delay { ms }) => self.push(now + Duration::from_millis(ms), text),
            Some(Fault::Duplicate) => {
                self.push(now, text.clone());
                self.push(now, text);
            }
            Some(Fault::Reorder) if self.held.is_none() => self.held = Some(text),
            Some(Fault::Crossed) => {
                let crossed = D::crossed(&text).unwrap_or(text);
                self.push(now, crossed);
            }
            Some(Fault::Garbage) => self.push(now, "{\"e\":garbage".to_owned()),
            Some(Fault::Reorder) => self.push(now, text),
            Some(_) => {}
        }
    }

    fn push(&mut self, due: Instant, text: String) {
        let last = self.queue.back().map_or(due, |(last, _)| due.max(*last));
        let due = if self.queue.len() < QUEUE_MAX { last } else { Instant::now() };
        self.queue.push_back((due, text));
        if let Some(held) = self.held.take() {
            self.queue.push_back((due, held));
        }
    }

    async fn flush<D: Dialogue>(&mut self, socket: &mut WebSocket) -> bool {
        let now = Instant::now();
        while self.due().is_some_and(|due| due <= now) {
            let Some((_, text)) = self.queue.pop_front() else { break };
            if socket.send(message::<D>(text)).await.is_err() {
                return false;
            }
        }
        true
    }
}

const fn on_any(fault: Fault) -> bool {
    use Fault as F;
    matches!(fault, F::Drop | F::Delay { .. } | F::Duplicate | F::Reorder | F::Garbage | F::Silence)
}

const fn on_book(fault: Fault) -> bool {
    on_any(fault) || matches!(fault, Fault::Gap | Fault::Crossed)
}
