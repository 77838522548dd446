//! The dashboard: its packages, its types, its units, and the whole of it in a real browser.

use crate::steps::Report;
use std::path::Path;
use std::process::Command;

/// Everything of `web/`, over the binary that was built before.
pub(crate) fn test(root: &Path, report: &mut Report) {
    let web = root.join("web");
    if !web.join("package.json").is_file() {
        return;
    }
    report.check("chromium", chromium().err().into_iter().collect());
    report.check("packages of the dashboard", packages(&web).err().into_iter().collect());
    let npm = |script: &str| {
        let mut command = Command::new("npm");
        command.current_dir(&web).args(["run", "--silent", script]);
        command
    };
    report.command("types of the dashboard", &mut npm("check"));
    report.command("units of the dashboard", &mut npm("test"));
    report.tests("dashboard in a browser", &mut npm("browser"));
}

/// What the lock file names, unless the build script of `ui` has already installed just that.
fn packages(web: &Path) -> Result<(), String> {
    let lock = std::fs::read(web.join("package-lock.json")).map_err(|e| e.to_string())?;
    let stamp = web.join("node_modules/.installed-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    if !runs("npm", &["ci", "--no-audit", "--no-fund", "--prefix", &web.to_string_lossy()]) {
        return Err("npm ci failed in web/".to_owned());
    }
    std::fs::write(stamp, lock).map_err(|e| e.to_string())
}

/// The browser of the dashboard's tests, from Debian and only where that needs no password.
fn chromium() -> Result<(), String> {
    if runs("chromium", &["--version"]) {
        return Ok(());
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    if !is_root {
        return Err("chromium is missing: apt-get install chromium".to_owned());
    }
    let install = ["install", "--yes", "--no-install-recommends", "chromium"];
    let is_done = runs("apt-get", &["update"]) && runs("apt-get", &install);
    is_done.then_some(()).ok_or_else(|| "apt-get could not install chromium".to_owned())
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).status().is_ok_and(|s| s.success())
}
