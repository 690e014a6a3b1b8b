//! A word of a shell line after its expansion, as far as it is known before the shell runs it.

/// One word. What is not known stands in its text as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// Whether all of the text is what the program will get.
    pub known: bool,
    /// Not known and not quoted: it can become any number of words.
    pub many: bool,
    /// All of it is what these commands print.
    pub output: Option<String>,
}

impl Word {
    pub fn known(text: impl Into<String>) -> Self {
        Self { text: text.into(), known: true, ..Self::default() }
    }

    /// Something that only the shell will know.
    pub fn unknown(shown: impl Into<String>) -> Self {
        Self { text: shown.into(), many: true, ..Self::default() }
    }

    /// What these commands will print, in as many words as it is.
    pub fn output(commands: impl Into<String>) -> Self {
        let commands = commands.into();
        Self { output: Some(commands.clone()), ..Self::unknown(format!("$({commands})")) }
    }

    /// Its text, where all of it is known.
    pub fn value(&self) -> Option<&str> {
        self.known.then_some(self.text.as_str())
    }

    /// The same without its first bytes, which are known.
    pub fn after(&self, bytes: usize) -> Self {
        let text = self.text.get(bytes..).unwrap_or_default().to_owned();
        Self { text, output: None, ..self.clone() }
    }
}

/// The words that are being made of one as it is written.
#[derive(Default)]
pub(super) struct Words {
    done: Vec<Word>,
    open: Option<Word>,
}

impl Words {
    /// Text that belongs to the word that is open; none of it separates words.
    pub(super) fn text(&mut self, text: &str) {
        let open = self.open.get_or_insert_with(|| Word::known(""));
        if !text.is_empty() {
            open.output = None;
        }
        open.text.push_str(text);
    }

    /// The value of a variable that is not quoted: its blanks separate words.
    pub(super) fn split(&mut self, text: &str) {
        for (i, part) in text.split([' ', '\t', '\n']).enumerate() {
            if i > 0 {
                self.end();
            }
            if !part.is_empty() {
                self.text(part);
            }
        }
    }

    /// Something of which all that is known is how it is written.
    pub(super) fn part(&mut self, part: &Word, quoted: bool) {
        let is_first = self.open.as_ref().is_none_or(|open| open.text.is_empty());
        let open = self.open.get_or_insert_with(|| Word::known(""));
        open.text.push_str(&part.text);
        open.known = false;
        open.many |= part.many && !quoted;
        open.output = part.output.clone().filter(|_| is_first);
    }

    /// What follows is another word.
    pub(super) fn end(&mut self) {
        self.done.extend(self.open.take());
    }

    pub(super) fn finish(mut self) -> Vec<Word> {
        self.end();
        self.done
    }
}
