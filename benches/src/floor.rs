//! What the machine itself costs: the same writes at the same pace, read by a bare thread, handed
//! over by a channel to another one that only looks at the clock. Two threads are woken, as on the
//! way through the connector to the engine, and no work is done.

use crate::exchange::{Sent, paced};
use std::io::{self, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Nanoseconds from the write of each message to the other thread's look at the clock.
pub(crate) fn measure(messages: usize) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let socket = TcpStream::connect(listener.local_addr()?)?;
    let (mut writer, _) = listener.accept()?;
    writer.set_nodelay(true)?;
    let sent = Arc::new(Sent::new(messages));
    // As the engine's queue.
    let (sink, mut source) = mpsc::channel(16_384);
    let reader = std::thread::spawn(move || read(socket, messages, &sink));
    let clock = Arc::clone(&sent);
    let last = std::thread::spawn(move || {
        let mut times = Vec::with_capacity(messages);
        while let Some(n) = source.blocking_recv() {
            times.extend(clock.message_age(n));
        }
        times
    });
    paced(&mut writer, &sent, messages)?;
    reader.join().map_err(|_| "the reader panicked")??;
    Ok(last.join().map_err(|_| "the last thread panicked")?)
}

/// Finds the frames' ends and nothing else.
fn read(socket: TcpStream, messages: usize, sink: &mpsc::Sender<u64>) -> io::Result<()> {
    let mut socket = BufReader::with_capacity(128 << 10, socket);
    let mut payload = Vec::new();
    for n in 0..messages as u64 {
        let mut head = [0; 2];
        socket.read_exact(&mut head)?;
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                socket.read_exact(&mut long)?;
                usize::from(u16::from_be_bytes(long))
            }
            short => usize::from(short),
        };
        payload.resize(length, 0);
        socket.read_exact(&mut payload)?;
        sink.blocking_send(n).map_err(io::Error::other)?;
    }
    Ok(())
}
