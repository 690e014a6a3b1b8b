//! Mounts. Docker reads `--mount` as CSV in which the last key wins, so a source of
//! `v,type=bind,source=/` would be all of this machine; and `-v` shifts fields at each colon and
//! creates folders that are missing. So: every field is read and checked here, and written anew.

mod forms;

use std::path::Path;

use super::names::VolumeName;
use super::path::{ContainerPath, HostPath};
use super::quantities::ByteSize;
use super::sent::{from_json, refused};

/// What to mount, in the order of the call; no target twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mounts(Vec<Mount>);

/// One mount. Its target is never `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mount {
    source: MountSource,
    target: ContainerPath,
    options: Options,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MountSource {
    /// A path on this machine, for the policy to canonicalise and to judge.
    Bind(HostPath),
    Volume(VolumeName),
    /// A volume without a name, removed with its container.
    Anonymous,
    Tmpfs(Option<ByteSize>),
}

from_json!(Mounts, { "type": ["array", "object"] });

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Options {
    read_only: bool,
    no_copy: bool,
    relabel: bool,
}

impl Mounts {
    pub fn mounts(&self) -> &[Mount] {
        &self.0
    }
}

impl Mount {
    pub const fn source(&self) -> &MountSource {
        &self.source
    }

    pub const fn target(&self) -> &ContainerPath {
        &self.target
    }

    pub const fn read_only(&self) -> bool {
        self.options.read_only
    }

    /// The call asked for `:z` or `:Z`, which `--mount` cannot do: worth a warning on `SELinux`.
    pub const fn wants_relabel(&self) -> bool {
        self.options.relabel
    }

    /// The value of `--mount`. A bind needs its source as the policy approved it: absolute, after
    /// symlinks. That path is checked again, because a symlink may lead to a folder with a comma.
    pub fn mount_argument(&self, absolute_source: Option<&Path>) -> Result<String, String> {
        let mut fields = match &self.source {
            MountSource::Bind(sent) => {
                let source = absolute_source
                    .filter(|path| path.is_absolute())
                    .and_then(Path::to_str)
                    .ok_or_else(|| {
                        refused("mount source", sent.as_str(), "it has no absolute path of text")
                    })?;
                plain_field("mount source", source)?;
                vec!["type=bind".to_owned(), format!("source={source}")]
            }
            MountSource::Volume(name) => vec!["type=volume".to_owned(), format!("source={name}")],
            MountSource::Anonymous => vec!["type=volume".to_owned()],
            MountSource::Tmpfs(_) => vec!["type=tmpfs".to_owned()],
        };
        fields.push(format!("target={}", self.target));
        if self.options.read_only {
            fields.push("readonly".to_owned());
        }
        if self.options.no_copy {
            fields.push("volume-nocopy".to_owned());
        }
        if let MountSource::Tmpfs(Some(size)) = self.source {
            fields.push(format!("tmpfs-size={size}"));
        }
        Ok(fields.join(","))
    }

    fn new(source: MountSource, target: &str, options: Options) -> Result<Self, String> {
        if let MountSource::Bind(path) = &source {
            plain_field("mount source", path.as_str())?;
        }
        let is_volume = matches!(source, MountSource::Volume(_) | MountSource::Anonymous);
        if options.no_copy && !is_volume {
            return Err(refused("mount option", "nocopy", "only volumes have it"));
        }
        Ok(Self { source, target: mount_target(target)?, options })
    }
}

pub(super) fn mount_target(text: &str) -> Result<ContainerPath, String> {
    let target: ContainerPath = text.parse()?;
    plain_field("mount target", text)?;
    if target.is_root() {
        return Err(refused("mount target", text, "a mount cannot replace \"/\""));
    }
    Ok(target)
}

/// A field of CSV that needs no quotes. Control characters would at best confuse a reader.
fn plain_field(what: &str, text: &str) -> Result<(), String> {
    if text.contains([',', '"']) || text.chars().any(char::is_control) {
        let rule = "\",\", quotes and control characters cannot be part of it";
        return Err(refused(what, text, rule));
    }
    Ok(())
}

pub(super) fn no_target_twice<'a>(
    targets: impl Iterator<Item = &'a ContainerPath>,
) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for target in targets {
        if !seen.insert(target.components().collect::<Vec<_>>()) {
            return Err(refused("mount target", target.as_str(), "it is given twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::command::values::sent::testing::{accepted, refusals};

    #[test]
    fn a_field_cannot_smuggle_another() {
        assert_snapshot!(refusals::<Mounts>(&json!([
            ["v,type=bind,source=/:/x"], ["/x,source=/etc:/y"], ["data:/x,readonly"],
            ["data:/x\",source=/\""], ["data:/x\nsource=/"], ["./a\u{7}:/x"], ["./a\u{0}:/x"],
            [{"type": "volume", "source": "v,type=bind,source=/", "target": "/x"}],
            [{"type": "bind", "source": "/x", "target": "/y,source=/"}],
            {"v,type=bind,source=/": "/x"}
        ])), @r#"
        mount source "v,type=bind,source=/" is not allowed: begin a path with "/" or "./"; a volume's name has no slash
        mount source "/x,source=/etc" is not allowed: ",", quotes and control characters cannot be part of it
        mount target "/x,readonly" is not allowed: ",", quotes and control characters cannot be part of it
        mount target "/x\",source=/\"" is not allowed: ",", quotes and control characters cannot be part of it
        container path "/x\nsource=/" is not allowed: use one line of text
        mount source "./a\u{7}" is not allowed: ",", quotes and control characters cannot be part of it
        path "./a\0" is not allowed: use one line of text
        volume name "v,type=bind,source=/" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        mount target "/y,source=/" is not allowed: ",", quotes and control characters cannot be part of it
        mount source "v,type=bind,source=/" is not allowed: begin a path with "/" or "./"; a volume's name has no slash
        "#);
    }

    #[test]
    fn a_bind_needs_the_absolute_path_that_the_policy_approved() {
        let mount = &accepted::<Mounts>(&json!(["./x:/a:Z"])).0[0];
        assert!(mount.wants_relabel() && !mount.read_only());
        let refusals: Vec<_> =
            [None, Some("x"), Some("/a,source=/etc"), Some("/a\r\nb"), Some("/a\"b")]
                .into_iter()
                .map(|source| mount.mount_argument(source.map(Path::new)).unwrap_err())
                .collect();
        assert_snapshot!(refusals.join("\n"), @r#"
        mount source "./x" is not allowed: it has no absolute path of text
        mount source "./x" is not allowed: it has no absolute path of text
        mount source "/a,source=/etc" is not allowed: ",", quotes and control characters cannot be part of it
        mount source "/a\r\nb" is not allowed: ",", quotes and control characters cannot be part of it
        mount source "/a\"b" is not allowed: ",", quotes and control characters cannot be part of it
        "#);
    }
}
