//! References to images, after the grammar of `distribution/reference`.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use super::sent::{ascii, checked_text};

checked_text! {
    /// An image: `[registry[:port]/]path[:tag][@digest]`, a bare ID, or `sha256:` and at least 4
    /// hexadecimal digits. At most 255 characters before the tag, as the grammar says; a digest is
    /// sha256, sha384 or sha512, the ones docker knows.
    ImageRef = "image", { "type": "string" }, image
}

/// Digits of an ID where docker shows a short one.
const SHOWN_ID: usize = 12;

static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    const HOST: &str = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
    const PART: &str = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*";
    // The first part is a registry when it has a dot or a port or is `localhost`.
    let registry = format!(
        r"{HOST}(?:\.{HOST})+(?::\d{{1,5}})?|localhost(?::\d{{1,5}})?|{HOST}:\d{{1,5}}|\[[0-9A-Fa-f:]+\](?::\d{{1,5}})?"
    );
    let digest = r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}";
    ascii(&format!(
        r"^(?<name>(?:(?<registry>{registry})/)?{PART}(?:/{PART})*)(?::(?<tag>\w[\w.-]{{0,127}}))?(?:@(?<digest>{digest}))?$"
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
    if text.len() < SHOWN_ID && text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        return Err(format!(
            "a number may be the beginning of any image's ID: write name:tag, or {SHOWN_ID} digits of \
             the ID"
        ));
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn a_reference_has_a_registry_a_path_a_tag_and_a_digest() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let full = format!("localhost:5000/team/app:1.2@{digest}");
        for (text, registry, repository, tag, by_digest) in [
            ("nginx", None, "nginx", None, None),
            ("nginx:1.27-alpine", None, "nginx", Some("1.27-alpine"), None),
            ("library/nginx", None, "library/nginx", None, None),
            ("ghcr.io/owner/app:v2", Some("ghcr.io"), "ghcr.io/owner/app", Some("v2"), None),
            ("host:80", None, "host", Some("80"), None),
            ("[::1]:5000/x", Some("[::1]:5000"), "[::1]:5000/x", None, None),
            ("169.254.169.254/x", Some("169.254.169.254"), "169.254.169.254/x", None, None),
            ("a__b/c---d.e", None, "a__b/c---d.e", None, None),
            (
                &full,
                Some("localhost:5000"),
                "localhost:5000/team/app",
                Some("1.2"),
                Some(digest.as_str()),
            ),
        ] {
            let image = accepted::<ImageRef>(&json!(text));
            assert_eq!(image.as_str(), text);
            assert!(!image.is_id());
            let parts = (image.registry(), image.repository(), image.tag(), image.digest());
            assert_eq!(parts, (registry, Some(repository), tag, by_digest), "{text}");
        }
    }

    #[test]
    fn an_id_is_not_something_to_pull() {
        for id in ["sha256:0a1b", &format!("sha256:{}", "0".repeat(64)), &"0a".repeat(32)] {
            let image = accepted::<ImageRef>(&json!(id));
            assert!(image.is_id(), "{id}");
            assert_eq!((image.repository(), image.tag(), image.digest()), (None, None, None));
        }
        for name in ["cafe", "2048:latest", "123456789012"] {
            assert!(!accepted::<ImageRef>(&json!(name)).is_id(), "{name}");
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        assert_snapshot!(refusals::<ImageRef>(&json!([
            "", "-f", "../containers/web", "a/../b", "a..b", "/nginx", "nginx/", " nginx",
            "nginx\n", "MyApp:1", "nginx:", "nginx:-x", "nginx:1:2",
            "https://ghcr.io/x", "user:secret@ghcr.io/x", "nginx@sha256:12",
            "nginx@md5:0123456789abcdef0123456789abcdef", "sha256:xyz", "sha256:012",
            "nginx latest", "nginx\u{0}", "nginx:é", 5, "5", "12345678901", "a".repeat(256), "a".repeat(5000), ["nginx"]
        ])), @r#"
        image "" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "-f" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "../containers/web" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "a/../b" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "a..b" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "/nginx" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "nginx/" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image " nginx" is not allowed: remove the blanks around it
        image "nginx\n" is not allowed: remove the blanks around it
        image "MyApp:1" is not allowed: write the repository in lower case
        image "nginx:" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "nginx:-x" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "nginx:1:2" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "https://ghcr.io/x" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "user:secret@ghcr.io/x" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "nginx@sha256:12" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "nginx@md5:0123456789abcdef0123456789abcdef" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "sha256:xyz" is not allowed: an image ID is "sha256:" and 4 to 64 hexadecimal digits
        image "sha256:012" is not allowed: an image ID is "sha256:" and 4 to 64 hexadecimal digits
        image "nginx latest" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "nginx\0" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "nginx:é" is not allowed: use [registry[:port]/]name[:tag][@sha256:digest], for example "nginx:1.27" or "ghcr.io/owner/app:v2"
        image "5" is not allowed: a number may be the beginning of any image's ID: write name:tag, or 12 digits of the ID
        image "5" is not allowed: a number may be the beginning of any image's ID: write name:tag, or 12 digits of the ID
        image "12345678901" is not allowed: a number may be the beginning of any image's ID: write name:tag, or 12 digits of the ID
        image "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" is not allowed: use at most 255 characters before the tag
        image "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" is not allowed: use at most 255 characters
        image must be text or a number, not a list
        "#);
    }
}
