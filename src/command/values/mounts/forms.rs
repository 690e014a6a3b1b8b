//! The forms in which mounts are sent: docker's short one, and the objects of other tools.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::super::sent::{Sent, kind, refused, scalar};
use super::{Mount, MountSource, Mounts, Options, no_target_twice};

impl Mount {
    /// `target[:options]`, behind a source.
    fn with_target(source: MountSource, target: &str) -> Result<Self, String> {
        let (target, options) = match target.split_once(':') {
            Some((target, options)) => (target, options.parse()?),
            None => (target, Options::default()),
        };
        Self::new(source, target, options)
    }

    /// One entry of `{"/host": "/container"}` or of docker-py's
    /// `{"/host": {"bind": "/container", "mode": "ro"}}`.
    fn from_entry(source: &str, value: Value) -> Result<Self, String> {
        let mut fields = match value {
            Value::String(target) => return Self::with_target(source.parse()?, &target),
            Value::Object(fields) => Fields(fields),
            other => {
                let rule = format!("its target must be text, not {}", kind(&other));
                return Err(refused("mount source", source, &rule));
            }
        };
        let target = fields.text(&["bind", "target"])?.unwrap_or_default();
        let options = fields.options()?;
        fields.finish()?;
        Self::new(source.parse()?, &target, options)
    }

    /// `{"type": "bind", "source": "./data", "target": "/data", "readonly": true}`.
    fn from_fields(fields: Map<String, Value>) -> Result<Self, String> {
        let mut fields = Fields(
            fields.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect(),
        );
        let mount_type = fields.text(&["type"])?;
        let source = fields.text(&["source", "src"])?.filter(|source| !source.is_empty());
        let target = fields.text(&["target", "destination", "dst"])?.unwrap_or_default();
        let size = fields.text(&["size", "tmpfs-size"])?.map(|size| size.parse()).transpose()?;
        let options = fields.options()?;
        fields.finish()?;

        let source = match (mount_type.as_deref(), source) {
            (Some("tmpfs"), None) => MountSource::Tmpfs(size),
            (_, _) if size.is_some() => {
                return Err("only a mount of type tmpfs has a size".to_owned());
            }
            (Some("volume") | None, None) => MountSource::Anonymous,
            (Some("volume"), Some(name)) => MountSource::Volume(name.parse()?),
            (Some("bind"), Some(path)) => match path.parse()? {
                bind @ MountSource::Bind(_) => bind,
                _ => {
                    return Err(refused(
                        "mount source",
                        &path,
                        "begin a path with \"/\" or \"./\"",
                    ));
                }
            },
            (None, Some(source)) => source.parse()?,
            (Some("bind"), None) => return Err("a mount of type bind needs a source".to_owned()),
            (Some("tmpfs"), Some(_)) => {
                return Err("a mount of type tmpfs has no source".to_owned());
            }
            (Some(other), _) => {
                let rule = "use \"bind\", \"volume\" or \"tmpfs\"";
                return Err(refused("mount type", other, rule));
            }
        };
        Self::new(source, &target, options)
    }
}

/// Docker's short form: `./data:/data:ro`, `volume:/data`, `/data` for an anonymous volume.
impl FromStr for Mount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `C:\data:/data`: no volume has a name of one letter.
        let colon = if is_windows_path(text) {
            text.bytes().skip(2).position(|b| b == b':').map_or(1, |i| i + 2)
        } else {
            text.find(':').unwrap_or(text.len())
        };
        let (source, target) = text.split_at_checked(colon).unwrap_or((text, ""));
        match target.strip_prefix(':') {
            None => Self::new(MountSource::Anonymous, text, Options::default()),
            Some(target) => Self::with_target(source.parse()?, target),
        }
    }
}

impl FromStr for MountSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_path = text.starts_with(['/', '~'])
            || text.starts_with("./")
            || text.starts_with("../")
            || [".", ".."].contains(&text)
            || is_windows_path(text);
        if is_path {
            return text.parse().map(Self::Bind);
        }
        if text.contains(['/', '\\']) || text.starts_with('.') {
            return Err(refused(
                "mount source",
                text,
                "begin a path with \"/\" or \"./\"; a volume's name has no slash",
            ));
        }
        text.parse().map(Self::Volume)
    }
}

impl FromStr for Options {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for option in text.split(',') {
            match option {
                "ro" | "readonly" => options.read_only = true,
                "nocopy" => options.no_copy = true,
                "z" | "Z" => options.relabel = true,
                // What docker does anyway; the hints for Docker Desktop have no effect any more.
                "rw" | "private" | "rprivate" | "cached" | "delegated" | "consistent" => {}
                _ => return Err(refused("mount option", option, "use \"ro\" or \"rw\"")),
            }
        }
        Ok(options)
    }
}

impl TryFrom<Value> for Mounts {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mounts = match Sent::of(value) {
            Sent::Object(entries) => entries
                .into_iter()
                .map(|(source, value)| Mount::from_entry(&source, value))
                .collect::<Result<Vec<_>, _>>()?,
            Sent::List(items) => items
                .into_iter()
                .map(|item| match Sent::of(item) {
                    Sent::Text(text) => text.parse(),
                    Sent::Object(fields) => Mount::from_fields(fields),
                    Sent::List(_) => Err("a mount is text or an object, not a list".to_owned()),
                })
                .collect::<Result<_, _>>()?,
            Sent::Text(text) => vec![text.parse()?],
        };
        no_target_twice(mounts.iter().map(Mount::target))?;
        Ok(Self(mounts))
    }
}

/// The fields of an object that describes a mount; each may be taken once.
struct Fields(Map<String, Value>);

impl Fields {
    fn take(&mut self, names: &[&str]) -> Option<Value> {
        names.iter().find_map(|name| self.0.remove(*name)).filter(|value| !value.is_null())
    }

    fn text(&mut self, names: &[&str]) -> Result<Option<String>, String> {
        let text = |value| {
            scalar(&value)
                .map_err(|kind| format!("{} of a mount must be text, not {kind}", names.join("/")))
        };
        self.take(names).map(text).transpose()
    }

    fn options(&mut self) -> Result<Options, String> {
        let mut options = match self.text(&["mode"])? {
            Some(mode) if !mode.is_empty() => mode.parse()?,
            _ => Options::default(),
        };
        match self.text(&["readonly", "read_only", "ro"])?.as_deref() {
            None | Some("false") => {}
            Some("true") => options.read_only = true,
            Some(other) => return Err(refused("readonly", other, "use true or false")),
        }
        Ok(options)
    }

    /// Nothing is ignored: an option that we do not know may be the one that matters.
    fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(key) => Err(refused(
                "field of a mount",
                key,
                "use type, source, target, readonly, and size for tmpfs",
            )),
            None => Ok(()),
        }
    }
}

fn is_windows_path(text: &str) -> bool {
    matches!(text.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::command::values::sent::testing::{accepted, refusals};

    /// The arguments, with `/abs` for the approved source of a bind.
    fn arguments(sent: &Value) -> String {
        let mounts = accepted::<Mounts>(sent);
        let argument =
            |mount: &Mount| mount.mount_argument(Some(Path::new("/abs"))).expect("plain");
        mounts.mounts().iter().map(argument).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_short_form_of_docker_is_read() {
        assert_snapshot!(arguments(&json!([
            "/srv/x:/a", "./x:/b:ro", "../x:/c:rw", ".:/d:ro,z", "data:/e", "data:/f:nocopy,ro",
            "/g", r"C:\x:/h:ro", "c:/x:/i", "/x:/j:cached,rprivate"
        ])), @"
        type=bind,source=/abs,target=/a
        type=bind,source=/abs,target=/b,readonly
        type=bind,source=/abs,target=/c
        type=bind,source=/abs,target=/d,readonly
        type=volume,source=data,target=/e
        type=volume,source=data,target=/f,readonly,volume-nocopy
        type=volume,target=/g
        type=bind,source=/abs,target=/h,readonly
        type=bind,source=/abs,target=/i
        type=bind,source=/abs,target=/j
        ");
        assert_snapshot!(arguments(&json!("data:/e")), @"type=volume,source=data,target=/e");
    }

    #[test]
    fn objects_are_read_in_the_shapes_that_agents_send() {
        assert_snapshot!(arguments(&json!([
            {"type": "bind", "source": "./x", "target": "/a", "readonly": true},
            {"type": "volume", "source": "data", "target": "/b", "read_only": "false"},
            {"type": "tmpfs", "target": "/c", "size": "64m"},
            {"target": "/d"},
            {"src": "data", "dst": "/e", "ro": true},
            {"Type": "bind", "Source": "/x", "Destination": "/f", "Mode": ""},
            {"type": "tmpfs", "target": "/g", "source": null, "readonly": true},
            "{\"source\": \"data\", \"target\": \"/h\"}"
        ])), @"
        type=bind,source=/abs,target=/a,readonly
        type=volume,source=data,target=/b
        type=tmpfs,target=/c,tmpfs-size=67108864
        type=volume,target=/d
        type=volume,source=data,target=/e,readonly
        type=bind,source=/abs,target=/f
        type=tmpfs,target=/g,readonly
        type=volume,source=data,target=/h
        ");
        assert_snapshot!(arguments(&json!({
            "/srv/x": "/a", "data": "/b:ro", "./y": {"bind": "/c", "mode": "ro"},
            "more": {"bind": "/d", "mode": "rw"}
        })), @"
        type=bind,source=/abs,target=/a
        type=volume,source=data,target=/b,readonly
        type=bind,source=/abs,target=/c,readonly
        type=volume,source=more,target=/d
        ");
        assert_snapshot!(arguments(&json!(r#"{"data": "/b"}"#)), @"type=volume,source=data,target=/b");
    }

    #[test]
    fn what_is_no_mount_is_refused() {
        assert_snapshot!(refusals::<Mounts>(&json!([
            ["~/x:/a"], ["~:/a"], ["sub/dir:/a"], [".hidden:/a"], ["data"], [""], [":"], [":/a"],
            ["data:"], ["data:a"], ["data:/"], ["data://."], ["data:/a/../b"], ["v:/a"],
            ["data:/a:rshared"], ["data:/a:"], ["data:/a:ro:rw"], ["/x:/a:nocopy"],
            ["data:/a", "more:/a/"],
            [5], [null], [["data", "/a"]], [{}], [{"type": "bind", "target": "/a"}],
            [{"type": "bind", "source": "data", "target": "/a"}],
            [{"type": "npipe", "source": "/x", "target": "/a"}],
            [{"type": "tmpfs", "source": "x", "target": "/a"}],
            [{"type": "volume", "target": "/a", "size": "1m"}],
            [{"target": "/a", "volume-opt": "device=/"}], [{"target": "/a", "readonly": "yes"}],
            [{"target": ["/a"]}], {"data": null}, {"data": {"mode": "ro"}},
            {"/x": {"bind": "/a", "propagation": "shared"}}
        ])), @r#"
        path "~/x" is not allowed: "~" is not expanded, write the whole path
        path "~" is not allowed: "~" is not expanded, write the whole path
        mount source "sub/dir" is not allowed: begin a path with "/" or "./"; a volume's name has no slash
        mount source ".hidden" is not allowed: begin a path with "/" or "./"; a volume's name has no slash
        container path "data" is not allowed: use an absolute path, one that begins with "/"
        container path "" is not allowed: it is empty
        volume name "" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        volume name "" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        container path "" is not allowed: it is empty
        container path "a" is not allowed: use an absolute path, one that begins with "/"
        mount target "/" is not allowed: a mount cannot replace "/"
        mount target "//." is not allowed: a mount cannot replace "/"
        container path "/a/../b" is not allowed: write it without ".."
        volume name "v" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        mount option "rshared" is not allowed: use "ro" or "rw"
        mount option "" is not allowed: use "ro" or "rw"
        mount option "ro:rw" is not allowed: use "ro" or "rw"
        mount option "nocopy" is not allowed: only volumes have it
        mount target "/a/" is not allowed: it is given twice
        container path "5" is not allowed: use an absolute path, one that begins with "/"
        a mount is text or an object, not a list
        a mount is text or an object, not a list
        container path "" is not allowed: it is empty
        a mount of type bind needs a source
        mount source "data" is not allowed: begin a path with "/" or "./"
        mount type "npipe" is not allowed: use "bind", "volume" or "tmpfs"
        a mount of type tmpfs has no source
        only a mount of type tmpfs has a size
        field of a mount "volume-opt" is not allowed: use type, source, target, readonly, and size for tmpfs
        readonly "yes" is not allowed: use true or false
        target/destination/dst of a mount must be text, not a list
        mount source "data" is not allowed: its target must be text, not null
        container path "" is not allowed: it is empty
        field of a mount "propagation" is not allowed: use type, source, target, readonly, and size for tmpfs
        "#);
    }
}
