//! Where in the text of a compose file something stands, for what compose complains about.

use std::ops::ControlFlow;

use libyaml_safer::EventData;

use super::yaml;

/// The keys and items of a text in their order, as far as it can be read.
#[derive(Debug, Default)]
pub struct Lines(Vec<Entry>);

/// A key with its value, or an item of a list, which is called by its index.
#[derive(Debug)]
struct Entry {
    parent: Option<usize>,
    name: String,
    /// The value, when it is a scalar.
    text: String,
    /// Counted from 1.
    line: usize,
    /// The name that the value has for others, and that of the other one whose value it is.
    anchor: Option<String>,
    alias: Option<String>,
}

/// What stands at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stands<'a> {
    /// The last part of the key; of an item of a list its index.
    pub name: &'a str,
    /// The value, when it is a scalar.
    pub text: &'a str,
    /// Counted from 1.
    pub line: usize,
}

/// Aliases of aliases, and merges in merges.
const MERGES_MAX: usize = 8;

/// A list or map whose end has not come yet.
struct Open {
    entry: Option<usize>,
    /// How many items there were; nothing for a map.
    items: Option<usize>,
    /// The key whose value comes next.
    key: Option<usize>,
}

impl Lines {
    /// Reads to the first thing that is no YAML.
    pub fn of(text: &str) -> Self {
        let mut lines = Self::default();
        let mut open: Vec<Open> = vec![];
        let read = yaml::read(text, &mut |event, line| {
            lines.take(event, line, &mut open);
            ControlFlow::Continue(())
        });
        // What is no YAML has no lines behind it.
        drop(read);
        lines
    }

    fn take(&mut self, event: EventData, line: usize, open: &mut Vec<Open>) {
        let (scalar, items, own_name, alias) = match event {
            EventData::Scalar { value, anchor, .. } => (Some(value), None, anchor, None),
            EventData::Alias { anchor } => (Some(String::new()), None, None, Some(anchor)),
            EventData::SequenceStart { anchor, .. } => (None, Some(0), anchor, None),
            EventData::MappingStart { anchor, .. } => (None, None, anchor, None),
            EventData::SequenceEnd | EventData::MappingEnd => {
                open.pop();
                return;
            }
            _ => return,
        };
        let entry = match open.last_mut() {
            None => None,
            Some(Open { entry, items: Some(count), .. }) => {
                let name = count.to_string();
                *count += 1;
                Some(self.add(*entry, name, line))
            }
            Some(Open { entry, key, .. }) => match (key.take(), &scalar) {
                (Some(own), _) => Some(own),
                (None, scalar) => {
                    let name = scalar.clone().unwrap_or_default();
                    *key = Some(self.add(*entry, name, line));
                    if scalar.is_some() {
                        return;
                    }
                    *key
                }
            },
        };
        if let Some(entry) = entry.and_then(|entry| self.0.get_mut(entry)) {
            (entry.anchor, entry.alias) = (own_name, alias);
        }
        match (scalar, entry.and_then(|entry| self.0.get_mut(entry))) {
            (Some(scalar), Some(entry)) => entry.text = scalar,
            (None, _) => open.push(Open { entry, items, key: None }),
            _ => {}
        }
    }

    /// The line of a key as compose writes it: `services.web.ports.0`, `services[web].ports[0]`.
    /// A path that is only there in part stands where that part stands.
    pub fn line_of(&self, path: &str) -> Option<usize> {
        let path = path.replace('[', ".").replace(']', "");
        let (mut parent, mut line, mut rest) = (None, None, path.as_str());
        // A name may hold dots itself.
        let after = |entry: &Entry, rest: &str| {
            let after = rest.strip_prefix(&entry.name)?;
            if after.is_empty() { Some(0) } else { after.strip_prefix('.').map(str::len) }
        };
        loop {
            let children = self.0.iter().enumerate().filter(|(_, entry)| entry.parent == parent);
            let found = children.filter_map(|(at, entry)| Some((at, entry, after(entry, rest)?)));
            let Some((at, entry, left)) = found.min_by_key(|(.., left)| *left) else { return line };
            (parent, line) = (Some(at), Some(entry.line));
            rest = rest.get(rest.len() - left..).unwrap_or_default();
            if rest.is_empty() {
                return line;
            }
        }
    }

    /// What stands at exactly this key, also when it comes from an alias or by a merge (`<<`).
    pub fn at(&self, path: &[&str]) -> Option<Stands<'_>> {
        self.stands(self.entry(path)?)
    }

    /// The keys of the map, or the items of the list, that stands at this key.
    pub fn below(&self, path: &[&str]) -> Vec<Stands<'_>> {
        let Some(parent) = self.entry(path).map(|at| self.meant(at)) else { return vec![] };
        self.children(Some(parent)).filter_map(|at| self.stands(at)).collect()
    }

    fn entry(&self, path: &[&str]) -> Option<usize> {
        let mut at = None;
        for name in path {
            at = Some(self.child(at, name, 0)?);
        }
        at
    }

    fn stands(&self, at: usize) -> Option<Stands<'_>> {
        let entry = self.0.get(at)?;
        let text = self.0.get(self.meant(at)).map_or("", |meant| meant.text.as_str());
        Some(Stands { name: &entry.name, text, line: entry.line })
    }

    fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> {
        let is_child = move |(_, entry): &(usize, &Entry)| entry.parent == parent;
        self.0.iter().enumerate().filter(is_child).map(|(at, _)| at)
    }

    fn child(&self, parent: Option<usize>, name: &str, merges: usize) -> Option<usize> {
        let parent = parent.map(|at| self.meant(at));
        let named = |wanted: &str| {
            self.children(parent).find(|at| self.0.get(*at).is_some_and(|it| it.name == wanted))
        };
        if let Some(found) = named(name) {
            return Some(found);
        }
        let merge = named("<<").filter(|_| merges < MERGES_MAX)?;
        let in_list = self
            .children(Some(merge))
            .filter(|at| self.0.get(*at).is_some_and(|it| it.alias.is_some()));
        let mut merged = std::iter::once(merge).chain(in_list);
        merged.find_map(|at| self.child(Some(at), name, merges + 1))
    }

    /// The entry whose value an alias stands for.
    fn meant(&self, at: usize) -> usize {
        let Some(alias) = self.0.get(at).and_then(|entry| entry.alias.as_ref()) else { return at };
        let before = self.0.get(..at).unwrap_or_default();
        before.iter().rposition(|entry| entry.anchor.as_ref() == Some(alias)).unwrap_or(at)
    }

    /// The key that begins on this line, or the last one before it.
    pub fn key_at(&self, line: usize) -> Option<String> {
        let last = self.0.iter().rposition(|entry| entry.line <= line)?;
        Some(self.path(last))
    }

    /// The key of this value on this line.
    pub fn key_of(&self, line: usize, value: &str) -> Option<String> {
        let is_it = |entry: &Entry| entry.line == line && entry.text == value;
        Some(self.path(self.0.iter().position(is_it)?))
    }

    /// The key and line of a value, or of a part of one, below a key of this name.
    pub fn find(&self, below: &str, value: &str) -> Option<(String, usize)> {
        let is_below = |at: usize| self.path(at).split('.').any(|name| name == below);
        let is_file = |text: &str| {
            let name = text.trim_start_matches("./").trim_start_matches("../");
            let before = value.strip_suffix(name).filter(|_| !name.is_empty());
            before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        let exactly = |entry: &Entry| entry.name == value || entry.text == value;
        let in_part = |entry: &Entry| entry.text.contains(value) || is_file(&entry.text);
        let ways: [&dyn Fn(&Entry) -> bool; 2] = [&exactly, &in_part];
        let found = ways.iter().find_map(|is_it| {
            let mut entries = self.0.iter().enumerate();
            entries.find(|(at, entry)| is_it(entry) && is_below(*at))
        });
        found.map(|(at, entry)| (self.path(at), entry.line))
    }

    /// The key and line of each value that names a variable.
    pub fn uses_of(&self, variable: &str) -> Vec<(String, usize)> {
        let goes_on =
            |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let is_use = |entry: &Entry| {
            let mut ends = entry.text.match_indices(variable).filter_map(|(at, _)| {
                let (before, rest) = entry.text.split_at_checked(at)?;
                let name_begins = before.ends_with('$') || before.ends_with("${");
                name_begins.then(|| rest.get(variable.len()..))?
            });
            !variable.is_empty() && ends.any(|rest| !goes_on(rest))
        };
        let used = self.0.iter().enumerate().filter(|(_, entry)| is_use(entry));
        used.map(|(at, entry)| (self.path(at), entry.line)).collect()
    }

    fn add(&mut self, parent: Option<usize>, name: String, line: usize) -> usize {
        let (text, anchor, alias) = (String::new(), None, None);
        self.0.push(Entry { parent, name, text, line, anchor, alias });
        self.0.len() - 1
    }

    /// `services.web.ports.0`
    fn path(&self, at: usize) -> String {
        let mut names = vec![];
        let mut next = Some(at);
        while let Some(entry) = next.and_then(|at| self.0.get(at)) {
            names.push(entry.name.as_str());
            next = entry.parent;
        }
        names.reverse();
        names.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "services:\n  web.1:\n    image: x\n    ports:\n      - \"80\"\n      - 99999:80\n    env_file: {path: ./a/b.env}\n  job: {image: y}\nx: *y\n";

    #[test]
    fn a_key_has_its_line() {
        let lines = Lines::of(TEXT);
        for (path, line) in [
            ("services", Some(1)),
            ("services.web.1", Some(2)),
            ("services.web.1.ports", Some(4)),
            ("services.web.1.ports.1", Some(6)),
            ("services[web.1].ports[0]", Some(5)),
            ("services.web.1.env_file.path", Some(7)),
            ("services.job.image", Some(8)),
            ("services.job.absent.x", Some(8)),
            ("absent", None),
        ] {
            assert_eq!(lines.line_of(path), line, "{path}");
        }
    }

    #[test]
    fn a_key_is_found_through_aliases_and_merges() {
        let text = "x-a: &a\n  mem_limit: 64m\nx-b: &b {user: '1'}\nx-p: &p\n  - 80:80\nservices:\n  web:\n    <<: [*a, *b]\n    ports: *p\n  api:\n    <<: *a\n    image: &i x\n  job: {image: *i}\n";
        let lines = Lines::of(text);
        let at = |path: &str| {
            let path: Vec<&str> = path.split('.').collect();
            lines.at(&path).map(|it| format!("{}:{}", it.line, it.text))
        };
        for (path, expected) in [
            ("services.web.mem_limit", Some("2:64m")),
            ("services.api.mem_limit", Some("2:64m")),
            ("services.web.user", Some("3:1")),
            ("services.web.ports.0", Some("5:80:80")),
            ("services.job.image", Some("13:x")),
            ("services.api.user", None),
            ("services.none", None),
        ] {
            assert_eq!(at(path).as_deref(), expected, "{path}");
        }
        let ports = lines.below(&["services", "web", "ports"]);
        assert_eq!(ports, [Stands { name: "0", text: "80:80", line: 5 }]);
        let circle = Lines::of("a: &a\n  <<: *a\n");
        assert_eq!(circle.at(&["a", "b"]), None);
    }

    #[test]
    fn a_line_has_its_key_also_in_a_text_that_breaks_off() {
        let lines = Lines::of("services:\n  web:\n    image: [x\n  y: }");
        assert_eq!(lines.key_at(2).unwrap(), "services.web");
        assert!(lines.key_at(4).unwrap().starts_with("services.web.image"), "{lines:?}");
        assert_eq!(Lines::of("").key_at(1), None);
    }

    #[test]
    fn a_variable_is_found_where_it_is_used() {
        let lines = Lines::of("a: $X\nb: [x$XY, '${X:-$Z}']\nX: X\n");
        let keys: Vec<_> = lines.uses_of("X").into_iter().map(|(key, line)| (line, key)).collect();
        assert_eq!(keys, [(1, "a".to_owned()), (2, "b.1".to_owned())]);
        assert_eq!(lines.uses_of("Z"), [("b.1".to_owned(), 2)]);
        assert_eq!(lines.uses_of("").len() + lines.uses_of("Y").len(), 0);
    }

    #[test]
    fn a_value_is_found_below_its_key() {
        let lines = Lines::of(TEXT);
        let found =
            |below, value| lines.find(below, value).map(|(key, line)| format!("{key}:{line}"));
        assert_eq!(found("ports", "99999").unwrap(), "services.web.1.ports.1:6");
        assert_eq!(found("env_file", "/srv/a/b.env").unwrap(), "services.web.1.env_file.path:7");
        assert_eq!(found("env_file", "/srv/xa/b.env"), None);
        assert_eq!(found("services", "job").unwrap(), "services.job:8");
    }
}
