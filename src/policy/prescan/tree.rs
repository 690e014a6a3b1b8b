//! YAML text as a tree whose aliases are not expanded, so that its size is that of the text.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use libyaml_safer::EventData;

use super::{Found, MAX_BYTES, MAX_DEPTH, MAX_EXPANDED, yaml};
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
    /// A key that is a list or a map is not in it: compose takes no file that has one.
    Map(Vec<(String, Id)>),
    Alias(Option<Id>),
}

#[derive(Default)]
pub(super) struct Tree {
    nodes: Vec<(Node, usize)>,
    /// The last node of each name. They live on in the next document, as in go-yaml.
    anchors: BTreeMap<String, Id>,
    anchored: BTreeSet<Id>,
    /// What lists, maps and nodes with an anchor come to, once they are whole.
    sizes: BTreeMap<Id, Size>,
    /// What the text so far comes to.
    size: Size,
    pub(super) findings: Vec<Found>,
}

/// How much a text is once each alias is what it stands for.
#[derive(Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) values: usize,
    pub(super) bytes: usize,
}

/// A list or map whose end has not come yet.
struct Open {
    id: Id,
    next: Next,
    /// Of the text before it.
    size: Size,
}

/// What the next node is to the one that is open.
#[derive(Default)]
enum Next {
    /// A key, or an item of a list.
    #[default]
    Key,
    Value(String),
    /// The value of a key that is not in the tree.
    Ignored,
}

impl Tree {
    /// # Errors
    /// For text that is no YAML.
    pub(super) fn read(text: &str) -> Result<Self, ScanError> {
        let mut tree = Self::default();
        tree.look_at_characters(text);
        if tree.findings.is_empty() {
            let mut open = vec![];
            yaml::read(text, &mut |event, line| tree.take(event, line, &mut open))?;
        }
        Ok(tree)
    }

    fn take(&mut self, event: EventData, line: usize, open: &mut Vec<Open>) -> ControlFlow<()> {
        let before = self.size;
        let (node, anchor, tag) = match event {
            EventData::SequenceEnd | EventData::MappingEnd => {
                if let Some(Open { id, size, .. }) = open.pop() {
                    self.sizes.insert(id, self.size.less(size));
                }
                return ControlFlow::Continue(());
            }
            // Of a loop, which compose refuses, the size is not known yet.
            EventData::Alias { anchor } => {
                let target = self.anchors.get(&anchor).copied();
                let size = target.and_then(|target| self.sizes.get(&target));
                self.size = self.size.plus(size.copied().unwrap_or_default());
                (Node::Alias(target), None, None)
            }
            EventData::Scalar { value, anchor, tag, .. } => {
                self.size = self.size.plus(Size { values: 1, bytes: value.len() });
                (Node::Scalar(value), anchor, tag)
            }
            EventData::SequenceStart { anchor, tag, .. } => (Node::List(vec![]), anchor, tag),
            EventData::MappingStart { anchor, tag, .. } => (Node::Map(vec![]), anchor, tag),
            _ => return ControlFlow::Continue(()),
        };
        self.look_at_tag(tag.as_deref(), line);
        let holds_others = matches!(node, Node::List(_) | Node::Map(_));
        if holds_others {
            self.size = self.size.plus(Size { values: 1, bytes: 0 });
        }
        let id = self.add(node, line, open.last_mut());
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
            self.anchored.insert(id);
            if !holds_others {
                self.sizes.insert(id, self.size.less(before));
            }
        }
        if holds_others {
            open.push(Open { id, next: Next::default(), size: before });
        }
        if open.len() > MAX_DEPTH {
            self.find(&rule::TEXT_SIZE, format!("more than {MAX_DEPTH} levels"), line);
            return ControlFlow::Break(());
        }
        if self.size.values > MAX_EXPANDED.values || self.size.bytes > MAX_EXPANDED.bytes {
            let Size { values, bytes } = MAX_EXPANDED;
            let subject = format!(
                "more than {values} values or {bytes} bytes, each alias as what it stands for"
            );
            self.find(&rule::TEXT_SIZE, subject, line);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
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

    /// How many values the text comes to.
    pub(super) fn values(&self) -> usize {
        self.size.values
    }

    /// How many values a list or map comes to.
    pub(super) fn values_of(&self, id: Id) -> usize {
        let id = match self.node(id) {
            Some(Node::Alias(Some(target))) => *target,
            _ => id,
        };
        self.sizes.get(&id).map_or(1, |size| size.values)
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
            (Next::Key, Node::Alias(target)) if is_map => {
                parent.next = match target.and_then(|target| self.node(target)) {
                    Some(Node::Scalar(key)) => Next::Value(key.trim().to_owned()),
                    _ => Next::Ignored,
                };
            }
            (Next::Key, _) if is_map => parent.next = Next::Ignored,
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

    /// Only at the beginning of a text a byte order mark is one to both readers.
    fn look_at_characters(&mut self, text: &str) {
        if text.len() > MAX_BYTES {
            let subject = format!("{} bytes, more than {MAX_BYTES}", text.len());
            return self.find(&rule::TEXT_SIZE, subject, 1);
        }
        if let Some(at) = text.rfind('\u{feff}').filter(|at| *at > 0) {
            let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
            self.find(&rule::TEXT_CHARACTER, "character U+FEFF", line);
        }
    }

    /// The only tag that makes another text of a text. All others are for compose to judge.
    fn look_at_tag(&mut self, tag: Option<&str>, line: usize) {
        if let Some(tag @ "tag:yaml.org,2002:binary") = tag {
            self.find(&rule::TAG, format!("tag {}", plain(tag)), line);
        }
    }
}

impl Size {
    fn plus(self, more: Self) -> Self {
        Self {
            values: self.values.saturating_add(more.values),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }

    fn less(self, before: Self) -> Self {
        Self {
            values: self.values.saturating_sub(before.values),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }
}
