//! Placing an order: once, with a permit, through the gate.

use super::client::LiveClient;
use super::http::Answer;
use super::types::{Placement, Reaction, Reject, Withheld};
use super::venue::{self, Context, Meaning, Outgoing};
use crate::delivery::now;
use domain::{Instrument, OrderKind, Side, TimeInForce};
use risk::{ApprovedOrder, Permit, WirePass};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why an order stays here.
enum Kept {
    Withheld(Withheld),
    Limited(Duration),
}

impl LiveClient {
    /// Places an order, at most once, whatever happens.
    ///
    /// The intent must be stored before, and counted with [`risk::WireGate::approve`]. A future
    /// that is dropped on its way leaves an unknown order: [`Self::resolve`] it.
    pub async fn place(&self, order: ApprovedOrder, permit: Permit) -> Placement {
        // Before the checks, which are about the moment at which it leaves.
        self.inner.ensure_clock().await;
        match self.let_out(&order, &permit) {
            Ok((outgoing, pass)) => self.send(&outgoing, pass).await,
            Err(kept) => {
                self.inner.gate.forfeit();
                match kept {
                    Kept::Withheld(why) => Placement::Withheld(why),
                    Kept::Limited(retry_after) => Placement::RateLimited { retry_after },
                }
            }
        }
    }

    /// Everything that may keep an order here; the wire gate comes last.
    fn let_out(
        &self,
        order: &ApprovedOrder,
        permit: &Permit,
    ) -> Result<(Outgoing, WirePass), Kept> {
        let kept = Kept::Withheld;
        permit.covers(order, now()).map_err(|e| kept(e.into()))?;
        let listed = self.inner.listed().get(order.intent().instrument);
        let instrument = listed.ok_or(kept(Withheld::Instrument))?;
        let outgoing = self.outgoing(order, instrument).map_err(kept)?;
        let budget = self.inner.http.budgets().take_order(now(), Instant::now());
        budget.map_err(Kept::Limited)?;
        let pass = self.inner.gate.pass(permit.is_entry()).map_err(|e| kept(e.into()))?;
        Ok((outgoing, pass))
    }

    fn outgoing(
        &self,
        order: &ApprovedOrder,
        instrument: Arc<Instrument>,
    ) -> Result<Outgoing, Withheld> {
        let intent = order.intent();
        let (price, post_only, time_in_force) = match (intent.kind, intent.side) {
            (OrderKind::Limit { price, post_only }, _) => {
                (Some(price), post_only, intent.time_in_force)
            }
            (OrderKind::Market, Side::Sell) => (None, false, TimeInForce::Ioc),
            // What a buy costs is held, so it may not cost more: no exchange's market order knows
            // such a limit, and Luno has none by base at all.
            (OrderKind::Market, Side::Buy) => {
                let worst = order.worst_price().ok_or(Withheld::WorstPrice)?;
                (Some(instrument.on_tick(worst, Side::Buy)), false, TimeInForce::Ioc)
            }
        };
        if intent.quantity.0 <= 0 || price.is_some_and(|p| p.0 <= 0) {
            return Err(Withheld::Number);
        }
        let validity = self.inner.config.timings.validity.as_millis();
        Ok(Outgoing {
            client_id: self.client_id(intent.id),
            side: intent.side,
            price,
            post_only,
            time_in_force,
            quantity: intent.quantity,
            instrument,
            validity_ms: i64::try_from(validity).unwrap_or(i64::MAX),
        })
    }

    /// Takes the pass: nobody else can send an order.
    async fn send(&self, order: &Outgoing, _pass: WirePass) -> Placement {
        let inner = &self.inner;
        let ask = venue::place(inner.exchange(), order, inner.http.exchange_ms());
        let answer = inner.http.send(&ask, inner.config.timings.order_timeout).await;
        let placement = self.judged(answer, order);
        if let Placement::Rejected(Reject { reaction: Reaction::Clock, .. }) = placement {
            self.resync_clock().await;
        }
        placement
    }

    fn judged(&self, answer: Answer, order: &Outgoing) -> Placement {
        match answer {
            Answer::Good(body, _) => {
                let decode = |c: Context<'_>| venue::placed(self.inner.exchange(), &body, order, c);
                match self.inner.with(decode) {
                    Ok(placed) if placed.client_id == order.client_id => Placement::Placed(placed),
                    Ok(_) => Placement::Unknown { why: "an answer about another order".into() },
                    Err(why) => Placement::Unknown { why: why.to_string() },
                }
            }
            Answer::Refused { meaning: Meaning::Refused(reaction), code, text } => {
                Placement::Rejected(Reject { reaction, code, text })
            }
            Answer::Limited(retry_after) => Placement::RateLimited { retry_after },
            // A duplicate may be the very order that we believe unsent; the others are no answers
            // to what was asked.
            Answer::Refused { code, text, .. } => {
                Placement::Unknown { why: format!("{code} {text}") }
            }
            Answer::Unclear { why, .. } => Placement::Unknown { why },
        }
    }
}
