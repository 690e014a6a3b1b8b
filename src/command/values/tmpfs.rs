//! Folders in memory.

use serde_json::Value;

use super::mounts::{mount_target, no_target_twice};
use super::path::ContainerPath;
use super::quantities::ByteSize;
use super::sent::{Sent, from_json, refused, scalar};

/// `--tmpfs`: folders in memory, each with its size and mount options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tmpfs(Vec<TmpfsMount>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TmpfsMount {
    target: ContainerPath,
    /// None is half of the machine's memory.
    size: Option<ByteSize>,
    options: Vec<String>,
}

from_json!(Tmpfs, { "type": ["array", "object", "string"] });

impl Tmpfs {
    pub fn mounts(&self) -> &[TmpfsMount] {
        &self.0
    }

    /// Values of `--tmpfs`: `/run:size=67108864,mode=1777`.
    pub fn arguments(&self) -> Vec<String> {
        self.0.iter().map(TmpfsMount::argument).collect()
    }
}

impl TmpfsMount {
    pub const fn target(&self) -> &ContainerPath {
        &self.target
    }

    /// None is half of the machine's memory.
    pub const fn size(&self) -> Option<ByteSize> {
        self.size
    }

    fn argument(&self) -> String {
        let size = self.size.map(|size| format!("size={size}"));
        let options: Vec<&str> =
            size.as_deref().into_iter().chain(self.options.iter().map(String::as_str)).collect();
        if options.is_empty() {
            return self.target.to_string();
        }
        format!("{}:{}", self.target, options.join(","))
    }

    fn new(target: &str, options: &str) -> Result<Self, String> {
        let target_path = mount_target(target)?;
        if target.contains(':') {
            return Err(refused("mount target", target, "\":\" cannot be part of it"));
        }
        let mut mount = Self { target: target_path, size: None, options: vec![] };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let digits = |text: &str, base: u32, max: usize| {
                (1..=max).contains(&text.len()) && text.chars().all(|c| c.is_digit(base))
            };
            match option.split_once('=') {
                Some(("size", size)) => mount.size = Some(size.parse()?),
                Some(("mode", mode)) if digits(mode, 8, 4) => mount.options.push(option.to_owned()),
                Some(("uid" | "gid", id)) if digits(id, 10, 9) => {
                    mount.options.push(option.to_owned());
                }
                None if TMPFS_FLAGS.contains(&option) => mount.options.push(option.to_owned()),
                _ => {
                    let rule = "use size=64m, mode=1777, uid=1000, gid=1000, ro, rw, exec, \
                                noexec, nosuid or nodev";
                    return Err(refused("tmpfs option", option, rule));
                }
            }
        }
        Ok(mount)
    }
}

impl TryFrom<Value> for Tmpfs {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let one = |text: &str| {
            let (target, options) = text.split_once(':').unwrap_or((text, ""));
            TmpfsMount::new(target, options)
        };
        let text = |value: &Value| {
            scalar(value).map_err(|kind| format!("a tmpfs mount must be text, not {kind}"))
        };
        let mounts = match Sent::of(value) {
            Sent::Object(entries) => entries
                .iter()
                .map(|(target, options)| match options {
                    Value::Null => TmpfsMount::new(target, ""),
                    options => TmpfsMount::new(target, &text(options)?),
                })
                .collect::<Result<Vec<_>, _>>()?,
            Sent::List(items) => {
                items.iter().map(|item| one(&text(item)?)).collect::<Result<_, _>>()?
            }
            Sent::Text(text) => vec![one(&text)?],
        };
        no_target_twice(mounts.iter().map(TmpfsMount::target))?;
        Ok(Self(mounts))
    }
}

/// `suid` and `dev` are left out: nothing in a scratch folder needs them.
const TMPFS_FLAGS: [&str; 6] = ["ro", "rw", "exec", "noexec", "nosuid", "nodev"];

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn a_folder_in_memory_may_have_a_size_and_options() {
        for sent in [
            json!(["/run", "/tmp:size=64m,mode=1777,exec", "/x:ro,uid=1000"]),
            json!({"/run": null, "/tmp": "mode=1777,size=64m,exec", "/x": "ro,uid=1000"}),
        ] {
            assert_eq!(
                accepted::<Tmpfs>(&sent).arguments(),
                ["/run", "/tmp:size=67108864,mode=1777,exec", "/x:ro,uid=1000"]
            );
        }
        assert_eq!(accepted::<Tmpfs>(&json!("/run")).arguments(), ["/run"]);
        assert_snapshot!(refusals::<Tmpfs>(&json!([
            [""], ["run"], ["/"], ["/a/.."], ["/run:size=lots"], ["/run:size=50%"], ["/run:mode=9"],
            ["/run:uid="], ["/run:dev"], ["/run:nr_blocks=1"], ["/a:size=1m:ro"],
            {"/a:b": ""}, ["/run", "/run/"], [5], {"/run": ["size=1m"]}, ["/a\nb"]
        ])), @r#"
        container path "" is not allowed: it is empty
        container path "run" is not allowed: use an absolute path, one that begins with "/"
        mount target "/" is not allowed: a mount cannot replace "/"
        container path "/a/.." is not allowed: write it without ".."
        size "lots" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "50%" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        tmpfs option "mode=9" is not allowed: use size=64m, mode=1777, uid=1000, gid=1000, ro, rw, exec, noexec, nosuid or nodev
        tmpfs option "uid=" is not allowed: use size=64m, mode=1777, uid=1000, gid=1000, ro, rw, exec, noexec, nosuid or nodev
        tmpfs option "dev" is not allowed: use size=64m, mode=1777, uid=1000, gid=1000, ro, rw, exec, noexec, nosuid or nodev
        tmpfs option "nr_blocks=1" is not allowed: use size=64m, mode=1777, uid=1000, gid=1000, ro, rw, exec, noexec, nosuid or nodev
        size "1m:ro" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        mount target "/a:b" is not allowed: ":" cannot be part of it
        mount target "/run/" is not allowed: it is given twice
        container path "5" is not allowed: use an absolute path, one that begins with "/"
        a tmpfs mount must be text, not a list
        container path "/a\nb" is not allowed: use one line of text
        "#);
    }
}
