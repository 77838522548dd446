//! `amarktai update`: the new binary runs, or the old one does again.

use crate::harness::{PATIENCE, Place, binary, client, run_to_end, until};
use crate::market::{config, sandbox};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A service manager of a few lines: restarts what is installed, and stops it.
struct Service<'p> {
    place: &'p Place,
    installed: PathBuf,
    address: String,
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Nothing of the tester's environment reaches the program.
fn bare(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
}

impl<'p> Service<'p> {
    fn new(place: &'p Place) -> Self {
        let dir = place.dir.path();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        let installed = dir.join("amarktai");
        script(&installed, &format!("#!/bin/sh\nexec {} \"$@\"\n", binary().display()));
        let at = dir.display();
        let stop = format!(
            "#!/bin/sh\nif [ -f {at}/pid ]; then pid=$(cat {at}/pid); kill $pid 2>/dev/null\n\
             while [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; \
             done; fi\nrm -f {at}/pid\n"
        );
        script(&dir.join("stop"), &stop);
        let restart = format!(
            "#!/bin/sh\n{at}/stop\n{} run --config {at}/e2e.toml --data-dir {} --listen {address} \
             </dev/null >>{at}/log 2>&1 &\necho $! >{at}/pid\n",
            installed.display(),
            place.data().display()
        );
        script(&dir.join("restart"), &restart);
        Self { place, installed, address }
    }

    fn run(&self, name: &str) {
        let path = self.place.dir.path().join(name);
        assert!(bare(&path).status().unwrap().success());
    }

    async fn is_up(&self) {
        let url = format!("http://{}/api/health/ready", self.address);
        until("the service is ready", PATIENCE, || async {
            let response = client().get(&url).send().await.ok()?;
            response.status().is_success().then_some(())
        })
        .await;
    }

    fn update(&self, file: &Path) -> (Option<i32>, String) {
        let mut command = crate::harness::command(self.place.dir.path());
        command.args(["update", "--config", "e2e.toml", "--data-dir"]).arg(self.place.data());
        let at = |name: &str| self.place.dir.path().join(name).display().to_string();
        command.arg(file).arg("--binary").arg(&self.installed);
        command.args(["--restart", &at("restart"), "--stop", &at("stop")]);
        command.args(["--ready-within", "20", "--listen", &self.address]);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let (code, out, log) = run_to_end(command, PATIENCE * 3);
        (code, format!("{out}{log}"))
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let _ = bare(&self.place.dir.path().join("stop")).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_binary_runs_and_one_that_does_not_start_gives_way_to_the_old_one() {
    let sandbox = sandbox(3).await;
    let place = Place::new(config(&sandbox));
    drop(place.command("run"));
    let service = Service::new(&place);
    service.run("restart");
    service.is_up().await;
    let release = |name: &str, rest: &str| {
        let path = place.dir.path().join(name);
        let version = "if [ \"$1\" = --version ]; then echo amarktai 9.9.9; exit; fi";
        script(&path, &format!("#!/bin/sh\n{version}\n{rest}\n"));
        path
    };
    let good = release("good", &format!("exec {} \"$@\"", binary().display()));
    let (code, told) = service.update(&good);
    assert_eq!(code, Some(0), "{told}");
    assert!(fs::read_to_string(&service.installed).unwrap().contains("9.9.9"));
    assert!(
        !fs::read_to_string(place.dir.path().join("amarktai.previous")).unwrap().contains("9.9.9")
    );
    service.is_up().await;

    let bad = release("bad", "echo cannot >&2; exit 1");
    let (code, told) = service.update(&bad);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("did not become ready") && told.contains("runs again"), "{told}");
    let installed = fs::read_to_string(&service.installed).unwrap();
    assert!(installed.contains("exec") && !installed.contains("cannot"), "{installed}");
    service.is_up().await;

    // Not what its checksum says: nothing is touched.
    fs::write(place.dir.path().join("good.sha256"), format!("{}  good\n", "0".repeat(64))).unwrap();
    let (code, told) = service.update(&good);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("nothing was changed"), "{told}");
    let backups = fs::read_dir(place.data().join("backups")).unwrap().count();
    assert_eq!(backups, 2, "one before each swap");
}
