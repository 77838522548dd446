//! Just enough of Binance on a loopback socket: lists, time, a book, and a stream that is paced
//! and notes when each message was written. Blocking threads, so that it adds nothing to the
//! runtime that is measured.

use crate::tape::Tape;
use domain::{Side, Span};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::{self, Message};

/// Two thousand messages a second, evenly.
const EVERY: Duration = Duration::from_micros(500);
/// Ids of trades and of book updates begin behind it.
const FIRST: u64 = 1_000_000;
/// Levels of each side that the book shows.
const LEVELS: i64 = 10;

const INFO: &str = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC",
"quoteAsset":"USDT","isSpotTradingAllowed":true,"filters":[
{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000.00","tickSize":"0.01000000"},
{"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00","stepSize":"0.00001000"}]}]}"#;

/// When each message was written, in nanoseconds of one monotonic clock.
pub(crate) struct Sent {
    epoch: Instant,
    trades: Vec<AtomicU64>,
    updates: Vec<AtomicU64>,
}

impl Sent {
    pub(crate) fn new(messages: usize) -> Self {
        let zeros = || (0..=messages).map(|_| AtomicU64::new(0)).collect();
        Self { epoch: Instant::now(), trades: zeros(), updates: zeros() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn age(&self, of: &[AtomicU64], id: u64) -> Option<u64> {
        let index = usize::try_from(id.checked_sub(FIRST)?).ok()?;
        let at = of.get(index)?.load(Ordering::Acquire);
        (at > 0).then(|| self.now().saturating_sub(at))
    }

    /// Since the message with this number was written, whatever it was.
    pub(crate) fn message_age(&self, n: u64) -> Option<u64> {
        if n.is_multiple_of(2) {
            self.trade_age(FIRST + n / 2 + 1)
        } else {
            self.update_age(FIRST + n)
        }
    }

    /// Since this trade was written; `None` where it was not part of the stream.
    pub(crate) fn trade_age(&self, id: u64) -> Option<u64> {
        self.age(&self.trades, id)
    }

    /// Since this change of the book was written.
    pub(crate) fn update_age(&self, id: u64) -> Option<u64> {
        self.age(&self.updates, id)
    }
}

/// See the module.
pub(crate) struct Exchange {
    pub(crate) address: SocketAddr,
    pub(crate) sent: Arc<Sent>,
    done: Arc<AtomicBool>,
}

impl Exchange {
    /// Streams so many messages to the first who subscribes. Its threads end with the process.
    pub(crate) fn start(messages: usize) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sent, done) = (Arc::new(Sent::new(messages)), Arc::new(AtomicBool::new(false)));
        let (times, end) = (Arc::clone(&sent), Arc::clone(&done));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (times, end) = (Arc::clone(&times), Arc::clone(&end));
                std::thread::spawn(move || {
                    if let Err(error) = serve(socket, &times, &end, messages) {
                        eprintln!("  the made-up exchange: {error}");
                    }
                });
            }
        });
        Ok(Self { address, sent, done })
    }

    /// Everything was written.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn serve(mut socket: TcpStream, sent: &Sent, done: &AtomicBool, messages: usize) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut head = [0; 4_096];
    let peeked = socket.peek(&mut head)?;
    if head[..peeked].starts_with(b"GET /stream") {
        let mut stream = tungstenite::accept(socket).map_err(|e| e.to_string())?;
        let text = stream.read()?.into_text()?.to_string();
        // Our connector numbers its control frames from one.
        assert!(text.contains("SUBSCRIBE"), "unexpected: {text}");
        stream.send(Message::text(r#"{"result":null,"id":1}"#))?;
        // The snapshot comes meanwhile.
        std::thread::sleep(Duration::from_secs(1));
        paced(stream.get_mut(), sent, messages)?;
        done.store(true, Ordering::Relaxed);
        // The socket stays open until the connector is closed.
        let _ = stream.read();
        return Ok(());
    }
    answers(&mut socket, &mut head)
}

/// Small requests of one packet each: as our own client sends them.
fn answers(socket: &mut TcpStream, head: &mut [u8]) -> Result<()> {
    loop {
        let length = match socket.read(head) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let text = String::from_utf8_lossy(&head[..length]);
        let path = text.split(' ').nth(1).unwrap_or_default();
        let body = match path.split('?').next().unwrap_or_default() {
            "/api/v3/exchangeInfo" => INFO.to_owned(),
            "/api/v3/time" => format!(r#"{{"serverTime":{}}}"#, millis()),
            "/api/v3/depth" => {
                let (bids, asks) = (side(6_000_000, -1, "1.5"), side(6_000_000, 1, "1.5"));
                format!(r#"{{"lastUpdateId":{},"bids":[{bids}],"asks":[{asks}]}}"#, FIRST - 1)
            }
            _ => "[]".to_owned(),
        };
        let length = body.len();
        write!(
            socket,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n\
             {body}"
        )?;
    }
}

fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

fn shown(ticks: i64) -> String {
    format!("{}.{:02}", ticks / 100, ticks % 100)
}

fn side(mid: i64, sign: i64, quantity: &str) -> String {
    let level = |k: i64| format!(r#"["{}","{quantity}"]"#, shown(mid + sign * k));
    (1..=LEVELS).map(level).collect::<Vec<_>>().join(",")
}

/// Half trades, four tenths touches, a tenth depth, at even distances.
pub(crate) fn paced(socket: &mut TcpStream, sent: &Sent, messages: usize) -> std::io::Result<()> {
    let mut tape = Tape::new(45, Span::from_millis(1));
    let (mut trades, mut book) = (0u64, Book { mid: 6_000_000, last: FIRST - 1 });
    let mut due = Instant::now();
    for n in 0..messages as u64 {
        let (payload, noted) = match n % 10 {
            0 | 2 | 4 | 6 | 8 => {
                trades += 1;
                (trade(FIRST + trades, &mut tape), &sent.trades[trades as usize])
            }
            1 => (book.change(&tape, FIRST + n), &sent.updates[n as usize]),
            _ => (touch(&tape, FIRST + n), &sent.updates[n as usize]),
        };
        let frame = framed(payload.as_bytes());
        due += EVERY;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        noted.store(sent.now(), Ordering::Release);
        socket.write_all(&frame)?;
    }
    Ok(())
}

fn trade(id: u64, tape: &mut Tape) -> String {
    let (print, now) = (tape.next(), millis());
    let quantity = format!("0.{:08}", print.quantity.0);
    let (price, sold) = (shown(print.price.0), print.taker_side == Side::Sell);
    format!(
        r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{now},"s":"BTCUSDT","t":{id},"p":"{price}","q":"{quantity}","T":{now},"m":{sold},"M":true}}}}"#
    )
}

fn touch(tape: &Tape, id: u64) -> String {
    let (bid, ask) = tape.touch();
    let (bid, ask) = (shown(bid.0), shown(ask.0));
    format!(
        r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{id},"s":"BTCUSDT","b":"{bid}","B":"1.5","a":"{ask}","A":"1.5"}}}}"#
    )
}

/// What the stream's book shows.
struct Book {
    mid: i64,
    last: u64,
}

impl Book {
    /// The old levels go, new ones around the walk's middle come.
    fn change(&mut self, tape: &Tape, id: u64) -> String {
        let (first, old, mid) = (self.last + 1, self.mid, tape.touch().0.0 + 1);
        (self.mid, self.last) = (mid, id);
        let sides = |sign| format!("{},{}", side(old, sign, "0"), side(mid, sign, "1.5"));
        let (bids, asks, now) = (sides(-1), sides(1), millis());
        format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{now},"s":"BTCUSDT","U":{first},"u":{id},"b":[{bids}],"a":[{asks}]}}}}"#
        )
    }
}

/// A server's text frame is its length and the text; written with one call.
fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(short as u8),
        Ok(length) => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => unreachable!("our messages are under 64 KB"),
    }
    frame.extend(payload);
    frame
}
