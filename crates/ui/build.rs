//! Builds `web/` into `OUT_DIR/dist` by npm and Vite; where that cannot be, a page that says so.
//!
//! Cargo runs this again only when a source of the dashboard changes, so work on Rust alone never
//! waits for Node. A missing Node or an unreachable registry is no error: the product works by its
//! API. A dashboard that does not compile is one.

use std::fmt::Write;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the dashboard is made of; `node_modules` follows from the lock file.
const SOURCES: [&str; 7] = [
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "svelte.config.js",
];
/// The oldest Node that Vite 8 runs on.
const NODE_MIN: (u32, u32) = (20, 19);

fn main() {
    let web = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", web.join(source).display());
    }
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it for build scripts"));
    let dist = out.join("dist");
    let _ = fs::remove_dir_all(&dist);
    let built = if std::env::var_os("CARGO_FEATURE_DASHBOARD").is_none() {
        Err("this binary was built without its feature `dashboard`".to_owned())
    } else {
        build(&web, &dist)
    };
    if let Err(reason) = built {
        if std::env::var_os("CARGO_FEATURE_DASHBOARD").is_some() {
            println!("cargo:warning=no dashboard in this binary: {reason}");
        }
        fallback(&dist, &reason);
    }
    let table = table(&dist).expect("what was just written can be read");
    fs::write(out.join("files.rs"), table).expect("OUT_DIR can be written");
}

/// The files as a table of Rust. `rust-embed` would do the same with eleven more crates, a second
/// copy of `sha2` among them.
fn table(dist: &Path) -> std::io::Result<String> {
    let mut files = Vec::new();
    collect(dist, dist, &mut files)?;
    files.sort();
    let mut text = String::from("const FILES: &[File] = &[\n");
    for name in files.iter().filter(|name| !name.ends_with(".gz")) {
        let path = dist.join(name);
        let mut hasher = DefaultHasher::new();
        fs::read(&path)?.hash(&mut hasher);
        let packed = format!("{name}.gz");
        let packed = match files.contains(&packed) {
            true => format!("Some(include_bytes!({:?}))", dist.join(packed)),
            false => "None".to_owned(),
        };
        let (hash, plain) = (hasher.finish(), format!("include_bytes!({path:?})"));
        let row = format!("name: {name:?}, hash: {hash}, plain: {plain}, packed: {packed}");
        writeln!(text, "    File {{ {row} }},").map_err(std::io::Error::other)?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// Every file under a directory, named from the root with slashes.
fn collect(root: &Path, directory: &Path, files: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            files.push(name.replace('\\', "/"));
        }
    }
    Ok(())
}

/// `Err`: what is missing, in words for the page.
fn build(web: &Path, dist: &Path) -> Result<(), String> {
    check_node()?;
    // Two builds with target directories of their own may run at once; they share node_modules.
    let lock = File::create(web.join(".build-lock")).map_err(|e| format!("web/: {e}"))?;
    lock.lock().map_err(|e| format!("web/.build-lock: {e}"))?;
    install(web)?;
    let output = npm(web)
        .args(["run", "build", "--", "--emptyOutDir", "--outDir"])
        .arg(dist)
        .output()
        .map_err(|e| format!("npm: {e}"))?;
    assert!(
        output.status.success(),
        "the dashboard does not build:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn check_node() -> Result<(), String> {
    let (major, minor) = NODE_MIN;
    let wanted = format!("it needs Node {major}.{minor} or newer with npm");
    let output = Command::new("node").arg("--version").output();
    let output = output.map_err(|_| format!("{wanted}; there is no node"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut parts = version.trim_start_matches('v').split('.').map_while(|p| p.parse().ok());
    let found: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < NODE_MIN {
        return Err(format!("{wanted}; here is {version}"));
    }
    match npm(Path::new(".")).arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(format!("{wanted}; there is no npm")),
    }
}

/// `npm ci`, unless what is installed came from this very lock file.
fn install(web: &Path) -> Result<(), String> {
    let wanted = fs::read(web.join("package-lock.json")).map_err(|e| e.to_string())?;
    let stamp = web.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let output = npm(web).args(["ci", "--no-audit", "--no-fund"]).output();
    let output = output.map_err(|e| format!("npm: {e}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let first = errors.lines().find(|line| line.contains("npm error")).unwrap_or("no reason");
        return Err(format!("`npm ci` in web/ could not fetch its packages: {first}"));
    }
    fs::write(stamp, wanted).map_err(|e| e.to_string())
}

fn npm(directory: &Path) -> Command {
    let mut command = Command::new("npm");
    // Cargo's own variables would only confuse node-gyp and friends.
    command.current_dir(directory).env("NODE_ENV", "production").env("CI", "1");
    command.env("npm_config_include", "dev");
    command
}

fn fallback(dist: &Path, reason: &str) {
    let reason = reason.replace('&', "&amp;").replace('<', "&lt;");
    let page = include_str!("src/fallback.html").replace("{reason}", &reason);
    fs::create_dir_all(dist).expect("OUT_DIR can be written");
    fs::write(dist.join("index.html"), page).expect("OUT_DIR can be written");
    fs::write(dist.join("fallback.css"), include_str!("src/fallback.css"))
        .expect("OUT_DIR can be written");
}
