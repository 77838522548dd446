//! What a service manager and its clients see: readiness, watchdog, a port that outlives a restart.

use crate::harness::{PATIENCE, Place, Product};
use crate::market::{config, sandbox};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The program with this socket as its third file, as systemd hands it over. A shell is in between:
/// the process id that it is told has to be its own.
pub(crate) fn activated(place: &Place, socket: &TcpListener) -> Command {
    let inner = place.command("run");
    let mut command = Command::new("sh");
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
    command.args(["-c", script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().current_dir(inner.get_current_dir().unwrap());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
    command
}

/// Ends it, and starts it anew on the same socket.
pub(crate) async fn restart(place: &Place, socket: &TcpListener, mut product: Product) -> Product {
    product.signal("TERM");
    assert!(product.wait(PATIENCE).is_some(), "it does not end");
    drop(product);
    place.start_by(activated(place, socket)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manager_hears_ready_then_signs_of_life_then_the_end() {
    let sandbox = sandbox(3).await;
    let mut place = Place::new(config(&sandbox));
    let path = place.dir.path().join("notify");
    let heard = UnixDatagram::bind(&path).unwrap();
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    place.set("NOTIFY_SOCKET", path.to_str().unwrap());
    place.set("WATCHDOG_USEC", "15000000");
    let mut product = place.start("run").await;
    let mut words = Vec::new();
    let mut hear = |word: &str| {
        while !words.iter().any(|heard: &String| heard.contains(word)) {
            let mut buffer = [0; 256];
            let length = heard.recv(&mut buffer).unwrap_or_else(|e| panic!("no {word}: {e}"));
            words.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    product.signal("TERM");
    hear("STOPPING=1");
    assert!(product.wait(Duration::from_secs(10)).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_during_a_restart_waits_and_is_answered() {
    let sandbox = sandbox(3).await;
    let place = Place::new(config(&sandbox));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut product = place.start_by(activated(&place, &socket)).await;
    assert_eq!(product.base, format!("http://{address}"), "its port is the one it was handed");
    product.signal("TERM");
    assert!(product.wait(PATIENCE).is_some(), "it does not end");
    drop(product);
    // Nobody is there now; the connection stands all the same.
    let asked = tokio::spawn(async move {
        crate::harness::client().get(format!("http://{address}/api/health/live")).send().await
    });
    let product = place.start_by(activated(&place, &socket)).await;
    assert!(asked.await.unwrap().unwrap().status().is_success());
    product.end();
}
