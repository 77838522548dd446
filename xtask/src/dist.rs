//! `cargo xtask dist`: a tarball with its checksum and a Debian package, out of a release build.
//!
//! Both are the same bytes for the same binary: names are sorted, owners are root, times are the
//! commit's. `tar`, `gzip` and `ar` do the work, which every Debian has; who installs needs no
//! compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Beside the binary, inside the tarball.
const PAPERS: [&str; 5] = ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "docs"];
/// From the tree, into the package: source, target, mode.
const PACKAGED: [(&str, &str, &str); 6] = [
    ("deploy/systemd/amarktai-api.service", "usr/lib/systemd/system", "0644"),
    ("deploy/systemd/amarktai-api.socket", "usr/lib/systemd/system", "0644"),
    ("deploy/systemd/amarktai.toml.example", "etc/amarktai/amarktai.toml", "0644"),
    ("deploy/systemd/amarktai.env.example", "etc/amarktai/amarktai.env", "0640"),
    ("LICENSE", "usr/share/doc/amarktai", "0644"),
    ("docs/PRODUCTION_GO_LIVE_CHECKLIST.md", "usr/share/doc/amarktai", "0644"),
];
/// What dpkg keeps where a person changed it.
const CONFFILES: &str = "/etc/amarktai/amarktai.toml\n/etc/amarktai/amarktai.env\n";

/// Makes both; `binary` instead of a release build, which tests use.
pub(crate) fn dist(root: &Path, binary: Option<&Path>) -> Vec<String> {
    match make(root, binary, &root.join("target/dist")) {
        Ok(files) => {
            files.iter().for_each(|file| println!("  {}", file.display()));
            Vec::new()
        }
        Err(wrong) => vec![wrong],
    }
}

fn make(root: &Path, binary: Option<&Path>, out: &Path) -> Result<Vec<PathBuf>, String> {
    let binary = match binary {
        Some(binary) => binary.to_owned(),
        None => release(root)?,
    };
    let version = version(root)?;
    let work = out.join("work");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).map_err(|e| e.to_string())?;
    let tarball = tarball(root, &binary, &version, &work, out)?;
    let sum = sum(&tarball)?;
    let package = package(root, &binary, &version, &work, out)?;
    fs::remove_dir_all(&work).map_err(|e| e.to_string())?;
    Ok(vec![tarball, sum, package])
}

fn release(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(root).args(["build", "--release", "--locked", "--package", "amarktai"]);
    run(&mut build)?;
    Ok(root.join("target/release/amarktai"))
}

/// Of the workspace.
fn version(root: &Path) -> Result<String, String> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).map_err(|e| e.to_string())?;
    let lines = manifest.lines().skip_while(|line| *line != "[workspace.package]");
    let version = lines.filter_map(|line| line.strip_prefix("version = ")).next();
    version.map(|v| v.trim_matches('"').to_owned()).ok_or_else(|| "no version".to_owned())
}

/// The commit's, in seconds, so that the same commit makes the same bytes.
fn epoch(root: &Path) -> String {
    if let Ok(set) = std::env::var("SOURCE_DATE_EPOCH") {
        return set;
    }
    let log = Command::new("git").current_dir(root).args(["log", "-1", "--format=%ct"]).output();
    let text = log.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "0".to_owned())
}

fn tarball(
    root: &Path,
    binary: &Path,
    version: &str,
    work: &Path,
    out: &Path,
) -> Result<PathBuf, String> {
    let name = format!("amarktai-{version}-linux-{}", std::env::consts::ARCH);
    let stage = work.join(&name);
    install(binary, &stage.join("bin/amarktai"), "0755")?;
    run(Command::new("cp").arg("-r").arg(root.join("deploy")).arg(&stage))?;
    for paper in PAPERS {
        run(Command::new("cp").arg("-r").arg(root.join(paper)).arg(&stage))?;
    }
    run(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(&stage))?;
    let file = out.join(format!("{name}.tar.gz"));
    pack(work, &name, &file, &epoch(root))?;
    Ok(file)
}

fn sum(file: &Path) -> Result<PathBuf, String> {
    let (dir, name) = (file.parent().unwrap_or(Path::new(".")), file.file_name());
    let name = name.unwrap_or_default();
    let output = Command::new("sha256sum").current_dir(dir).arg(name).output();
    let output = output.map_err(|e| format!("sha256sum: {e}"))?;
    let target = file.with_extension("gz.sha256");
    fs::write(&target, output.stdout).map_err(|e| e.to_string())?;
    Ok(target)
}

/// A Debian package is an archive of three: its format's version, who it is, what it brings.
fn package(
    root: &Path,
    binary: &Path,
    version: &str,
    work: &Path,
    out: &Path,
) -> Result<PathBuf, String> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let (data, control) = (work.join("data"), work.join("control"));
    install(binary, &data.join("usr/bin/amarktai"), "0755")?;
    for (from, to, mode) in PACKAGED {
        let source = root.join(from);
        let is_file = to.starts_with("etc/");
        let name = source.file_name().unwrap_or_default().to_owned();
        let target = if is_file { data.join(to) } else { data.join(to).join(name) };
        install(&source, &target, mode)?;
    }
    let kilobytes = fs::metadata(binary).map_err(|e| e.to_string())?.len() / 1_024;
    let about = format!(
        "Package: amarktai\nVersion: {version}\nArchitecture: {architecture}\n\
         Maintainer: Amarktai <ops@amarktai.invalid>\nInstalled-Size: {kilobytes}\n\
         Depends: libc6, adduser\nRecommends: ca-certificates\nSection: misc\nPriority: optional\n\
         Description: paper-trades a fleet of crypto bots against live markets\n \
         One binary with dashboard, store and service units.\n"
    );
    fs::create_dir_all(&control).map_err(|e| e.to_string())?;
    write(&control.join("control"), &about, "0644")?;
    write(&control.join("conffiles"), CONFFILES, "0644")?;
    for script in ["postinst", "prerm", "postrm"] {
        install(&root.join("deploy/debian").join(script), &control.join(script), "0755")?;
    }
    let epoch = epoch(root);
    pack(&control, ".", &work.join("control.tar.gz"), &epoch)?;
    pack(&data, ".", &work.join("data.tar.gz"), &epoch)?;
    write(&work.join("debian-binary"), "2.0\n", "0644")?;
    let file = out.join(format!("amarktai_{version}_{architecture}.deb"));
    let _ = fs::remove_file(&file);
    // `D`: no times and owners of this machine.
    let mut ar = Command::new("ar");
    ar.current_dir(work).arg("rcD").arg(&file);
    run(ar.args(["debian-binary", "control.tar.gz", "data.tar.gz"]))?;
    Ok(file)
}

fn write(path: &Path, text: &str, mode: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    run(Command::new("chmod").arg(mode).arg(path))
}

fn install(from: &Path, to: &Path, mode: &str) -> Result<(), String> {
    run(Command::new("install").args(["-D", "-m", mode]).arg(from).arg(to))
}

/// Names sorted, owners root, times the commit's; gzip without a name and a time of its own.
fn pack(dir: &Path, what: &str, to: &Path, epoch: &str) -> Result<(), String> {
    let mut tar = Command::new("tar");
    tar.current_dir(dir)
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"])
        .arg(format!("--mtime=@{epoch}"))
        .args(["-cf", "-", what])
        .stdout(Stdio::piped());
    let mut tar = tar.spawn().map_err(|e| format!("tar: {e}"))?;
    let packed = fs::File::create(to).map_err(|e| format!("{}: {e}", to.display()))?;
    let from = tar.stdout.take().ok_or("tar has no output")?;
    run(Command::new("gzip").arg("-n9").stdin(from).stdout(packed))?;
    let is_ok = tar.wait().map_err(|e| e.to_string())?.success();
    is_ok.then_some(()).ok_or_else(|| "tar failed".to_owned())
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|e| format!("{name}: {e}"))?;
    status.success().then_some(()).ok_or_else(|| format!("{name} ended with {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_makes_the_same_bytes_and_dpkg_reads_them() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let has = |program: &str| {
            Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok()
        };
        if !["tar", "ar", "dpkg-deb", "sha256sum"].iter().all(|program| has(program)) {
            println!("SKIPPED: tar, ar, dpkg-deb or sha256sum is not installed");
            return;
        }
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let made = dirs.each_ref().map(|dir| make(root, Some(Path::new("/bin/true")), dir.path()));
        let [one, two] = made.map(Result::unwrap);
        for (one, two) in one.iter().zip(&two) {
            assert!(fs::read(one).unwrap() == fs::read(two).unwrap(), "{}", one.display());
        }
        let listed = Command::new("dpkg-deb").arg("-c").arg(&one[2]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        for file in [
            "./usr/bin/amarktai",
            "./usr/lib/systemd/system/amarktai-api.socket",
            "./etc/amarktai/amarktai.env",
        ] {
            assert!(listed.contains(file), "{listed}");
        }
        let mut check = Command::new("sha256sum");
        let check = check.current_dir(dirs[0].path()).arg("-c").arg(&one[1]).output().unwrap();
        assert!(check.status.success());
    }
}
