//! A registry on loopback that hands out one image, as slowly or as wrongly as a test wants.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const PIECE: usize = 64 << 10;

struct Shelf {
    manifest: Vec<u8>,
    config: Vec<u8>,
    layer: Vec<u8>,
    /// Between two pieces of the layer.
    pause: Duration,
    /// Bytes of the layer that were taken.
    taken: AtomicU64,
}

pub(super) struct Registry {
    pub(super) address: String,
    shelf: Arc<Shelf>,
}

impl Registry {
    /// Its image holds one file of random data of that size, which comes with this pause after
    /// each 64 KiB.
    pub(super) fn with_image(bytes: usize, pause: Duration) -> Self {
        let layer = tar(&random(bytes));
        let architecture = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "amd64",
        };
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {"Cmd": ["/file"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let part = |kind: &str, bytes: &[u8]| -> Value {
            json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)})
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": part(CONFIG, &config), "layers": [part(LAYER, &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let shelf = Arc::new(Shelf { manifest, config, layer, pause, taken: AtomicU64::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::clone(&shelf);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shelf = Arc::clone(&shared);
                // Who goes away is not our problem.
                std::thread::spawn(move || shelf.serve(client).ok());
            }
        });
        Self { address, shelf }
    }

    /// Tags: any is the image, but these stand for what registries answer otherwise: `absent`,
    /// `denied`, `limited`, `broken`. What is below `private/` asks for a login.
    pub(super) fn image(&self, name: &str, tag: &str) -> String {
        format!("{}/{name}:{tag}", self.address)
    }

    pub(super) fn digest(&self) -> String {
        digest(&self.shelf.manifest)
    }

    /// Bytes of the layer that were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.shelf.taken.load(Ordering::Relaxed)
    }
}

impl Shelf {
    fn serve(&self, client: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let mut request = String::new();
        reader.read_line(&mut request)?;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? <= 2 {
                break;
            }
        }
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let last = path.rsplit('/').next().unwrap_or_default();
        let problem = |code: &str| json!({"errors": [{"code": code, "message": code}]});
        let (status, kind, body) = match last {
            _ if path.contains("/private/") => {
                refusal("401 Unauthorized", &problem("UNAUTHORIZED"))
            }
            "" => ("200 OK", "application/json", b"{}".to_vec()),
            "absent" => refusal("404 Not Found", &problem("MANIFEST_UNKNOWN")),
            "denied" => refusal("401 Unauthorized", &problem("UNAUTHORIZED")),
            "limited" => refusal("429 Too Many Requests", &problem("TOOMANYREQUESTS")),
            "broken" => refusal("500 Internal Server Error", &problem("UNKNOWN")),
            _ if path.contains("/manifests/") => ("200 OK", MANIFEST, self.manifest.clone()),
            blob if blob == digest(&self.config) => ("200 OK", CONFIG, self.config.clone()),
            _ => ("200 OK", LAYER, self.layer.clone()),
        };
        let mut client = client;
        write!(client, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n")?;
        if status.starts_with("401") {
            write!(client, "WWW-Authenticate: Basic realm=\"test\"\r\n")?;
        }
        write!(client, "Docker-Content-Digest: {}\r\n", digest(&body))?;
        write!(client, "Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
        if method == "HEAD" {
            return Ok(());
        }
        for piece in body.chunks(PIECE) {
            client.write_all(piece)?;
            if kind == LAYER {
                self.taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
                std::thread::sleep(self.pause);
            }
        }
        Ok(())
    }
}

fn refusal(status: &'static str, problem: &Value) -> (&'static str, &'static str, Vec<u8>) {
    (status, "application/json", problem.to_string().into_bytes())
}

/// The address of a real registry; nothing where none can be started, which it says.
pub(super) fn real() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the script that provides engines, not docker")]
    let output = std::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine"))
        .args(["registry", "up"])
        .output()
        .unwrap();
    if !output.status.success() {
        super::world::say("skipped: no registry can be started on this machine");
        return None;
    }
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// An archive of one file.
fn tar(content: &[u8]) -> Vec<u8> {
    let mut header = [b'\0'; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, "file");
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = content.len().next_multiple_of(512) - content.len() + 1024;
    [&header[..], content, &vec![0; padding]].concat()
}

/// Another image each time, so that no engine knows it already.
fn random(bytes: usize) -> Vec<u8> {
    let mut data = vec![0; bytes];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut data).unwrap();
    data
}

fn digest(bytes: &[u8]) -> String {
    #[expect(clippy::disallowed_methods, reason = "no docker, and no crate for one sum")]
    let mut child = std::process::Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    format!("sha256:{}", std::str::from_utf8(&output.stdout[..64]).unwrap())
}
