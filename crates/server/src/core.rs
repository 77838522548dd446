//! The way to the core: commands and questions over one bounded queue.
//!
//! The run loop owns the engine. It answers a command after the commit that holds its effects, and
//! runs a question on the engine's thread once everything that it could see is committed, so no
//! answer tells of anything that a crash could take back.

use domain::{AccountId, Actor};
use engine::{Command, CommandError, Engine, Reply};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Waiting for a place in the queue: a core this far behind should not get more work.
const QUEUE_WAIT: Duration = Duration::from_secs(1);
/// Waiting for an answer: a commit takes milliseconds; after this the caller is told so.
const QUERY_WAIT: Duration = Duration::from_secs(3);
/// The same for commands, which wait for a commit on a disk that may be slow.
const COMMAND_WAIT: Duration = Duration::from_secs(10);

/// What the run loop takes from its queue.
pub enum CoreRequest {
    /// Somebody orders something.
    Command {
        /// Within this account; `None`: the fleet.
        account: Option<AccountId>,
        /// Who.
        actor: Actor,
        /// What.
        command: Command,
        /// Answered after the commit.
        reply: oneshot::Sender<Result<Reply, CommandError>>,
    },
    /// Somebody asks something; run on the engine's thread. What it returns hands the answer over,
    /// and is called once everything that the question could see is committed.
    Query(Question),
}

/// See [`CoreRequest::Query`].
pub type Question = Box<dyn FnOnce(&Engine) -> Release + Send>;
/// Hands an answer over.
pub type Release = Box<dyn FnOnce() + Send>;

/// Why the core gave no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CoreError {
    /// The command was refused; nothing moved.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// The queue is full or the answer late; nothing was ordered.
    #[error("the core is busy; try again")]
    Busy,
    /// The command was taken and no answer came in time: it may have been carried out.
    #[error("no answer from the core in time; look before ordering it again")]
    OutcomeUnknown,
    /// The core has ended.
    #[error("the core is not running")]
    Gone,
}

/// A cheap handle to the core.
#[derive(Clone)]
pub struct Core {
    sender: mpsc::Sender<CoreRequest>,
}

impl Core {
    /// Over this queue; its bound is the run loop's choice.
    pub fn new(sender: mpsc::Sender<CoreRequest>) -> Self {
        Self { sender }
    }

    /// Orders something and waits until it is committed.
    ///
    /// # Errors
    /// See [`CoreError`]; only `OutcomeUnknown` leaves open whether it happened.
    pub async fn command(
        &self,
        account: Option<AccountId>,
        actor: Actor,
        command: Command,
    ) -> Result<Reply, CoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(CoreRequest::Command { account, actor, command, reply }).await?;
        match tokio::time::timeout(COMMAND_WAIT, answer).await {
            Ok(Ok(result)) => result.map_err(CoreError::Refused),
            // The sender was dropped or is late: the core may have died between commit and reply.
            Ok(Err(_)) | Err(_) => Err(CoreError::OutcomeUnknown),
        }
    }

    /// Asks something; `f` sees the engine of one instant.
    ///
    /// # Errors
    /// `Busy` or `Gone`; a question changes nothing.
    pub async fn query<R: Send + 'static>(
        &self,
        f: impl FnOnce(&Engine) -> R + Send + 'static,
    ) -> Result<R, CoreError> {
        let (reply, answer) = oneshot::channel();
        let ask = move |engine: &Engine| -> Release {
            // Nobody waits any more: then the work is not worth doing either.
            if reply.is_closed() {
                return Box::new(|| {});
            }
            let answer = f(engine);
            Box::new(move || drop(reply.send(answer)))
        };
        self.send(CoreRequest::Query(Box::new(ask))).await?;
        match tokio::time::timeout(QUERY_WAIT, answer).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(CoreError::Gone),
            Err(_) => Err(CoreError::Busy),
        }
    }

    /// Shows the queue to whoever watches how full it is.
    pub fn watch(&self, look: impl FnOnce(&mpsc::Sender<CoreRequest>)) {
        look(&self.sender);
    }

    async fn send(&self, request: CoreRequest) -> Result<(), CoreError> {
        match self.sender.send_timeout(request, QUEUE_WAIT).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(CoreError::Busy),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(CoreError::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_is_busy_and_takes_nothing() {
        let (sender, mut receiver) = mpsc::channel(1);
        let core = Core::new(sender.clone());
        sender.try_send(CoreRequest::Query(Box::new(|_| Box::new(|| ())))).unwrap();
        let ordered = core.command(None, Actor::Person("tom".into()), Command::NewSeason).await;
        assert_eq!(ordered, Err(CoreError::Busy));
        assert!(matches!(receiver.try_recv(), Ok(CoreRequest::Query(_))));
        assert!(receiver.try_recv().is_err(), "the command was not queued");
    }

    #[tokio::test]
    async fn a_command_that_was_taken_and_not_answered_is_of_unknown_outcome() {
        let (sender, mut receiver) = mpsc::channel(1);
        let core = Core::new(sender);
        let ordered = core.command(None, Actor::Person("tom".into()), Command::NewSeason);
        let dies = async { drop(receiver.recv().await) };
        let (ordered, ()) = tokio::join!(ordered, dies);
        assert_eq!(ordered, Err(CoreError::OutcomeUnknown));
    }
}
