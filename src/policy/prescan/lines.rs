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
}

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
        let (scalar, items) = match event {
            EventData::Scalar { value, .. } => (Some(value), None),
            EventData::Alias { .. } => (Some(String::new()), None),
            EventData::SequenceStart { .. } => (None, Some(0)),
            EventData::MappingStart { .. } => (None, None),
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
        self.0.push(Entry { parent, name, text: String::new(), line });
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
