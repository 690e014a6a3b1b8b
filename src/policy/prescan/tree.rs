//! YAML text as a tree whose aliases are not expanded, so that its size is that of the text.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{Found, MAX_BYTES, MAX_DEPTH};
use crate::policy::refusal::plain;
use crate::policy::rule;

/// YAML that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// Counted from 1.
    pub line: usize,
    pub column: usize,
    pub problem: String,
}

/// Index of a node.
pub(super) type Id = usize;

pub(super) enum Node {
    Scalar(String),
    List(Vec<Id>),
    /// Keys that are no plain text are not in it (they are findings).
    Map(Vec<(String, Id)>),
    Alias(Option<Id>),
}

#[derive(Default)]
pub(super) struct Tree {
    nodes: Vec<(Node, usize)>,
    /// The parser's numbers of anchors. No two nodes have the same one.
    anchors: BTreeMap<usize, Id>,
    anchored: BTreeSet<Id>,
    pub(super) findings: Vec<Found>,
}

/// A list or map whose end has not come yet.
struct Open {
    id: Id,
    next: Next,
}

/// What the next node is to the one that is open.
#[derive(Default)]
enum Next {
    /// A key, or an item of a list.
    #[default]
    Key,
    Value(String),
    /// The value of a key that was refused.
    Ignored,
}

impl Tree {
    /// # Errors
    /// For text that is no YAML.
    pub(super) fn read(text: &str) -> Result<Self, ScanError> {
        let mut tree = Self::default();
        tree.look_at_characters(text);
        if !tree.findings.is_empty() {
            return Ok(tree);
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        tree.look_at_lines(text);
        let mut open: Vec<Open> = vec![];
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| ScanError {
                line: error.marker().line(),
                column: error.marker().col() + 1,
                problem: error.info().to_owned(),
            })?;
            let line = span.start.line();
            let (node, anchor, tag) = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        tree.find(&rule::DOCUMENTS, "a second document", line);
                        break;
                    }
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                    continue;
                }
                Event::Alias(anchor) => (Node::Alias(tree.anchors.get(&anchor).copied()), 0, None),
                Event::Scalar(text, style, anchor, tag) => {
                    // `{?env_file: x}` is this key to Go's reader (YAML 1.1), and another to ours.
                    if style == ScalarStyle::Plain && text.starts_with('?') {
                        tree.find(&rule::ALIAS_KEY, "a text that begins with \"?\"", line);
                    }
                    (Node::Scalar(text.into_owned()), anchor, tag)
                }
                Event::SequenceStart(anchor, tag) => (Node::List(vec![]), anchor, tag),
                Event::MappingStart(anchor, tag) => (Node::Map(vec![]), anchor, tag),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {
                    continue;
                }
            };
            tree.look_at_tag(tag.as_deref(), line);
            let holds_others = matches!(node, Node::List(_) | Node::Map(_));
            let id = tree.add(node, line, open.last_mut());
            if anchor > 0 {
                tree.anchors.insert(anchor, id);
                tree.anchored.insert(id);
            }
            if holds_others {
                open.push(Open { id, next: Next::default() });
            }
            if open.len() > MAX_DEPTH {
                tree.find(&rule::TEXT_SIZE, format!("more than {MAX_DEPTH} levels"), line);
                break;
            }
        }
        Ok(tree)
    }

    pub(super) fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id).map(|(node, _)| node)
    }

    pub(super) fn line(&self, id: Id) -> usize {
        self.nodes.get(id).map_or(0, |(_, line)| *line)
    }

    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        0..self.nodes.len()
    }

    /// Whether it may stand in other places too.
    pub(super) fn has_anchor(&self, id: Id) -> bool {
        self.anchored.contains(&id)
    }

    pub(super) fn find(
        &mut self,
        rule: &'static rule::Rule,
        subject: impl Into<String>,
        line: usize,
    ) {
        self.findings.push(Found { rule, subject: subject.into(), line });
    }

    fn add(&mut self, node: Node, line: usize, parent: Option<&mut Open>) -> Id {
        let id = self.nodes.len();
        let Some(parent) = parent else {
            self.nodes.push((node, line));
            return id;
        };
        let is_map = matches!(self.node(parent.id), Some(Node::Map(_)));
        match (std::mem::take(&mut parent.next), &node) {
            (Next::Key, Node::Scalar(key)) if is_map => {
                parent.next = Next::Value(key.trim().to_owned());
            }
            (Next::Key, _) if is_map => {
                self.find(&rule::ALIAS_KEY, "a key that is an alias, a list or a map", line);
                parent.next = Next::Ignored;
            }
            (Next::Ignored, _) => {}
            (next, _) => match (self.nodes.get_mut(parent.id), next) {
                (Some((Node::Map(entries), _)), Next::Value(key)) => entries.push((key, id)),
                (Some((Node::List(items), _)), _) => items.push(id),
                _ => {}
            },
        }
        self.nodes.push((node, line));
        id
    }

    /// Characters that Go's reader takes for a line's end or for nothing, and ours does not.
    fn look_at_characters(&mut self, text: &str) {
        if text.len() > MAX_BYTES {
            let subject = format!("{} bytes, more than {MAX_BYTES}", text.len());
            return self.find(&rule::TEXT_SIZE, subject, 1);
        }
        let is_strange = |(at, c): &(usize, char)| {
            (c.is_control() && !"\t\n\r".contains(*c))
                || matches!(c, '\u{2028}' | '\u{2029}')
                || (*c == '\u{feff}' && *at > 0)
        };
        if let Some((at, c)) = text.char_indices().find(is_strange) {
            let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
            self.find(&rule::TEXT_CHARACTER, format!("character U+{:04X}", u32::from(c)), line);
        }
    }

    /// Lines that can only be what they look like: content of a compose file is indented, or is a
    /// key.
    fn look_at_lines(&mut self, text: &str) {
        let mut has_content = false;
        for (i, line) in text.split(['\n', '\r']).enumerate() {
            let word = line.split([' ', '\t']).next().unwrap_or_default();
            match word {
                "---" if has_content => self.find(&rule::DOCUMENTS, "a second document", i + 1),
                "---" => has_content = true,
                "..." => self.find(&rule::DOCUMENTS, "the end of a document", i + 1),
                _ if line.starts_with('%') => {
                    self.find(&rule::TAG, format!("directive {}", plain(word)), i + 1);
                }
                _ => has_content |= !line.trim().is_empty() && !line.starts_with('#'),
            }
        }
    }

    fn look_at_tag(&mut self, tag: Option<&Tag>, line: usize) {
        const OF_COMPOSE: [&str; 2] = ["reset", "override"];
        const OF_YAML: [&str; 7] = ["str", "int", "float", "bool", "null", "map", "seq"];
        let Some(tag) = tag else { return };
        let is_known = match tag.handle.as_str() {
            "!" => OF_COMPOSE.contains(&tag.suffix.as_str()),
            "tag:yaml.org,2002:" => OF_YAML.contains(&tag.suffix.as_str()),
            _ => false,
        };
        if !is_known {
            let subject = format!("tag {}", plain(&format!("{}{}", tag.handle, tag.suffix)));
            self.find(&rule::TAG, subject, line);
        }
    }
}
