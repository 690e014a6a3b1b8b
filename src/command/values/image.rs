//! References to images, after the grammar of `distribution/reference`.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::sent::{ascii, checked_text};

checked_text! {
    /// An image: `[registry[:port]/]path[:tag][@digest]`, a bare ID, or `sha256:` and at least 4
    /// hexadecimal digits. At most 255 characters before the tag, as the grammar says; a digest is
    /// sha256, sha384 or sha512, the ones docker knows.
    ImageRef = "image", { "type": "string" }, image
}

static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    const HOST: &str = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
    const PART: &str = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*";
    // The first part is a registry when it has a dot or a port or is `localhost`.
    ascii(&format!(
        r"^(?<name>(?:(?<registry>{HOST}(?:\.{HOST})+(?::[0-9]{{1,5}})?|localhost(?::[0-9]{{1,5}})?|{HOST}:[0-9]{{1,5}}|\[[0-9A-Fa-f:]+\](?::[0-9]{{1,5}})?)/)?{PART}(?:/{PART})*)(?::(?<tag>\w[\w.-]{{0,127}}))?(?:@(?<digest>sha256:[0-9a-f]{{64}}|sha384:[0-9a-f]{{96}}|sha512:[0-9a-f]{{128}}))?$"
    ))
});

impl ImageRef {
    /// Can only be an ID of a local image, not something to pull. (`cafe` may be either.)
    pub fn is_id(&self) -> bool {
        self.0.starts_with("sha256:") || is_full_id(&self.0)
    }

    /// `ghcr.io` in `ghcr.io/owner/app:1`; none means docker.io.
    pub fn registry(&self) -> Option<&str> {
        self.part("registry")
    }

    /// Registry and path: what stands before the tag and the digest.
    pub fn repository(&self) -> Option<&str> {
        self.part("name")
    }

    pub fn tag(&self) -> Option<&str> {
        self.part("tag")
    }

    pub fn digest(&self) -> Option<&str> {
        self.part("digest")
    }

    fn part(&self, name: &str) -> Option<&str> {
        if self.is_id() {
            return None;
        }
        self.parts().and_then(|parts| parts.name(name)).map(|found| found.as_str())
    }

    fn parts(&self) -> Option<Captures<'_>> {
        REFERENCE.captures(&self.0)
    }
}

fn image(text: &str) -> Result<String, String> {
    if let Some(id) = text.strip_prefix("sha256:") {
        return if (4..=64).contains(&id.len()) && is_hex(id) {
            Ok(text.to_owned())
        } else {
            Err("an image ID is \"sha256:\" and 4 to 64 hexadecimal digits".to_owned())
        };
    }
    if text.len() > 4096 {
        return Err("use at most 255 characters".to_owned());
    }
    match REFERENCE.captures(text).as_ref().and_then(|parts| parts.name("name")) {
        Some(name) if name.len() <= 255 => Ok(text.to_owned()),
        Some(_) => Err("use at most 255 characters before the tag".to_owned()),
        None if REFERENCE.is_match(text.trim()) => Err("remove the blanks around it".to_owned()),
        None if REFERENCE.is_match(&text.to_ascii_lowercase()) => {
            Err("write the repository in lower case".to_owned())
        }
        None => {
            Err("use [registry[:port]/]name[:tag][@sha256:digest], for example \"nginx:1.27\" \
             or \"ghcr.io/owner/app:v2\""
                .to_owned())
        }
    }
}

fn is_full_id(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
