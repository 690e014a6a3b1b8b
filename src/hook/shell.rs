//! A line of a shell as the commands that it runs. Nothing is run to find out; whatever is not known
//! before is kept as it is written.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;
use std::rc::Rc;

use brush_parser::Parser;
use brush_parser::ast::{
    AndOr, AndOrList, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem,
    CompoundCommand, CompoundList, IoFileRedirectKind, IoFileRedirectTarget, IoRedirect, Pipeline,
    Program, RedirectList, SimpleCommand, SubshellCommand,
};
use brush_parser::word::{self as shell_word, WordPiece, WordPieceWithSource};

use super::programs::{Place, Runs, name, runs};
use super::scope::{Scope, options};
use super::word::Word;

/// A line that is longer is not read.
const LONGEST: usize = 128 << 10;
/// Shells that start shells, functions that call functions.
const DEPTH: usize = 12;
/// More commands than these are not looked at.
const MOST: usize = 500;
/// Rounds of a loop.
const ROUNDS: usize = 50;
/// Brackets and words that can be nested: each takes stack of the parser. See [`super::STACK`].
const NESTED: usize = 4000;

/// One command of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub words: Vec<Word>,
    /// Variables of its environment that the line sets.
    pub variables: BTreeMap<String, Word>,
    /// Where it is run; nothing where that is not known.
    pub folder: Option<PathBuf>,
    pub input: Input,
    /// On another machine, or in another root folder.
    pub elsewhere: bool,
}

/// What a command reads from its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// What the line itself got.
    #[default]
    Inherited,
    Text(String),
    File(Word),
    /// What these commands print.
    Printed(String),
    Unknown,
}

/// What was read of a line.
#[derive(Debug, Default)]
pub struct Reading {
    pub calls: Vec<Call>,
    /// Whether something in it could not be read, so that there may be more.
    pub unread: bool,
}

/// Where a line is run.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub folder: Option<PathBuf>,
    pub home: Option<PathBuf>,
}

/// Reads a line.
pub fn read(line: &str, place: &Standing) -> Reading {
    let mut scope = Scope::default();
    scope.folder.clone_from(&place.folder);
    scope.home.clone_from(&place.home);
    let mut walk = Walk::default();
    walk.script(line, &mut scope, &Input::Inherited, false);
    walk.reading
}

#[derive(Default)]
struct Walk {
    reading: Reading,
    depth: usize,
}

impl Walk {
    fn script(&mut self, text: &str, scope: &mut Scope, input: &Input, elsewhere: bool) {
        if self.depth >= DEPTH {
            self.reading.unread = true;
            return;
        }
        let Some(program) = parse(text) else {
            self.reading.unread = true;
            return;
        };
        self.depth += 1;
        for list in &program.complete_commands {
            self.list(list, scope, input, elsewhere);
        }
        self.depth -= 1;
    }

    fn list(&mut self, list: &CompoundList, scope: &mut Scope, input: &Input, elsewhere: bool) {
        for item in &list.0 {
            let AndOrList { first, additional } = &item.0;
            self.pipeline(first, scope, input, elsewhere);
            for more in additional {
                match more {
                    AndOr::And(pipeline) => self.pipeline(pipeline, scope, input, elsewhere),
                    AndOr::Or(pipeline) => {
                        let before = scope.in_branch;
                        let folder = scope.folder.clone();
                        scope.in_branch = true;
                        self.pipeline(pipeline, scope, input, elsewhere);
                        scope.in_branch = before;
                        scope.folder = folder;
                    }
                }
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, scope: &mut Scope, input: &Input, elsewhere: bool) {
        let [only] = &pipeline.seq[..] else {
            let mut input = input.clone();
            for (i, command) in pipeline.seq.iter().enumerate() {
                // Each part is a shell of its own.
                let mut own = scope.clone();
                self.command(command, &mut own, &input, elsewhere);
                input = printed(pipeline.seq.get(..=i).unwrap_or_default(), scope);
            }
            return;
        };
        self.command(only, scope, input, elsewhere);
    }

    fn command(&mut self, command: &Command, scope: &mut Scope, input: &Input, elsewhere: bool) {
        match command {
            Command::Simple(simple) => self.simple(simple, scope, input, elsewhere),
            Command::Compound(compound, redirects) => {
                let input = self.redirected(redirects.as_ref(), scope, input, elsewhere);
                self.compound(compound, scope, &input, elsewhere);
            }
            Command::Function(function) => {
                let name = function.fname.value.clone();
                scope.functions.insert(name, Rc::new(function.body.clone()));
            }
            Command::ExtendedTest(..) => self.substitutions(&command.to_string(), scope, elsewhere),
        }
    }

    fn compound(
        &mut self,
        compound: &CompoundCommand,
        scope: &mut Scope,
        input: &Input,
        elsewhere: bool,
    ) {
        let branch = scope.in_branch;
        match compound {
            CompoundCommand::Arithmetic(arithmetic) => {
                self.substitutions(&arithmetic.to_string(), scope, elsewhere);
            }
            CompoundCommand::BraceGroup(group) => self.list(&group.list, scope, input, elsewhere),
            CompoundCommand::Subshell(SubshellCommand { list, .. }) => {
                self.list(list, &mut scope.clone(), input, elsewhere);
            }
            CompoundCommand::ForClause(clause) => {
                let written = clause.values.iter().flatten();
                let mut values = vec![];
                for word in written {
                    self.substitutions(&word.value, scope, elsewhere);
                    values.extend(scope.expand(&word.value));
                }
                if clause.values.is_none() {
                    values.clone_from(&scope.positional);
                }
                self.reading.unread |= values.len() > ROUNDS;
                for value in values.into_iter().take(ROUNDS) {
                    scope.in_branch = false;
                    // One of several: it stands for each of them.
                    scope.assign(&clause.variable_name, vec![value]);
                    scope.in_branch = true;
                    self.list(&clause.body.list, scope, input, elsewhere);
                }
            }
            CompoundCommand::ArithmeticForClause(clause) => {
                scope.in_branch = true;
                self.list(&clause.body.list, scope, input, elsewhere);
            }
            CompoundCommand::CaseClause(clause) => {
                self.substitutions(&clause.value.value, scope, elsewhere);
                scope.in_branch = true;
                for list in clause.cases.iter().filter_map(|case| case.cmd.as_ref()) {
                    self.list(list, scope, input, elsewhere);
                }
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition, scope, input, elsewhere);
                scope.in_branch = true;
                self.list(&clause.then, scope, input, elsewhere);
                for other in clause.elses.iter().flatten() {
                    if let Some(condition) = &other.condition {
                        self.list(condition, scope, input, elsewhere);
                    }
                    self.list(&other.body, scope, input, elsewhere);
                }
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                scope.in_branch = true;
                self.list(&clause.0, scope, input, elsewhere);
                self.list(&clause.1.list, scope, input, elsewhere);
            }
            CompoundCommand::Coprocess(coprocess) => {
                self.command(&coprocess.body, &mut scope.clone(), input, elsewhere);
            }
        }
        scope.in_branch = branch;
    }

    fn simple(
        &mut self,
        simple: &SimpleCommand,
        scope: &mut Scope,
        input: &Input,
        elsewhere: bool,
    ) {
        let mut input = input.clone();
        let mut assigned = vec![];
        let mut words = vec![];
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            if let CommandPrefixOrSuffixItem::AssignmentWord(assignment, written) = item {
                self.substitutions(&written.value, scope, elsewhere);
                let AssignmentName::VariableName(name) = &assignment.name else { continue };
                let values = match &assignment.value {
                    AssignmentValue::Scalar(word) => vec![scope.expand_whole(&word.value)],
                    AssignmentValue::Array(items) => {
                        items.iter().flat_map(|(_, item)| scope.expand(&item.value)).collect()
                    }
                };
                assigned.push((name.clone(), values));
            } else {
                self.item(item, scope, &mut input, &mut words, elsewhere);
            }
        }
        if let Some(word) = &simple.word_or_name {
            self.substitutions(&word.value, scope, elsewhere);
            words.extend(scope.expand(&word.value));
        }
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            self.item(item, scope, &mut input, &mut words, elsewhere);
        }
        if words.is_empty() {
            for (name, values) in assigned {
                scope.assign(&name, values);
            }
            return;
        }
        let firsts = assigned
            .into_iter()
            .filter_map(|(name, values)| Some((name, values.into_iter().next()?)));
        self.run(&words, firsts.collect(), scope, &input, elsewhere);
    }

    fn item(
        &mut self,
        item: &CommandPrefixOrSuffixItem,
        scope: &mut Scope,
        input: &mut Input,
        words: &mut Vec<Word>,
        elsewhere: bool,
    ) {
        match item {
            CommandPrefixOrSuffixItem::Word(word)
            | CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
                self.substitutions(&word.value, scope, elsewhere);
                words.extend(scope.expand(&word.value));
            }
            CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                *input = self.redirect(redirect, scope, input, elsewhere);
            }
            CommandPrefixOrSuffixItem::ProcessSubstitution(_, shell) => {
                self.list(&shell.list, &mut scope.clone(), &Input::Unknown, elsewhere);
                words.push(Word { many: false, ..Word::unknown("<(…)") });
            }
        }
    }

    fn redirected(
        &mut self,
        redirects: Option<&RedirectList>,
        scope: &mut Scope,
        input: &Input,
        elsewhere: bool,
    ) -> Input {
        let mut input = input.clone();
        for redirect in redirects.iter().flat_map(|list| &list.0) {
            input = self.redirect(redirect, scope, &input, elsewhere);
        }
        input
    }

    /// What the standard input is after it.
    fn redirect(
        &mut self,
        redirect: &IoRedirect,
        scope: &mut Scope,
        input: &Input,
        elsewhere: bool,
    ) -> Input {
        match redirect {
            IoRedirect::HereDocument(_, document) => {
                let text = &document.doc.value;
                if !document.requires_expansion {
                    return Input::Text(text.clone());
                }
                let Ok(pieces) = shell_word::parse_heredoc(text, &options()) else {
                    return Input::Text(text.clone());
                };
                self.pieces(&pieces, scope, elsewhere);
                let quoted = format!("\"{}\"", text.replace('"', "\\\""));
                Input::Text(scope.expand_whole(&quoted).text)
            }
            IoRedirect::HereString(_, word) => {
                self.substitutions(&word.value, scope, elsewhere);
                Input::Text(scope.expand_whole(&word.value).text)
            }
            IoRedirect::File(_, kind, target) => match target {
                IoFileRedirectTarget::Filename(word) => {
                    self.substitutions(&word.value, scope, elsewhere);
                    match kind {
                        IoFileRedirectKind::Read => Input::File(scope.expand_whole(&word.value)),
                        _ => input.clone(),
                    }
                }
                IoFileRedirectTarget::ProcessSubstitution(_, shell) => {
                    self.list(&shell.list, &mut scope.clone(), &Input::Unknown, elsewhere);
                    match kind {
                        IoFileRedirectKind::Read => Input::Printed(shell.list.to_string()),
                        _ => input.clone(),
                    }
                }
                _ => input.clone(),
            },
            IoRedirect::OutputAndError(..) => input.clone(),
        }
    }

    /// What is run to know a word.
    fn substitutions(&mut self, written: &str, scope: &mut Scope, elsewhere: bool) {
        if !written.contains(['$', '`']) {
            return;
        }
        match shell_word::parse(written, &options()) {
            Ok(pieces) => self.pieces(&pieces, scope, elsewhere),
            Err(_) => self.reading.unread = true,
        }
    }

    fn pieces(&mut self, pieces: &[WordPieceWithSource], scope: &mut Scope, elsewhere: bool) {
        for piece in pieces {
            match &piece.piece {
                WordPiece::CommandSubstitution(commands)
                | WordPiece::BackquotedCommandSubstitution(commands) => {
                    self.script(commands, &mut scope.clone(), &Input::Unknown, elsewhere);
                }
                WordPiece::DoubleQuotedSequence(pieces)
                | WordPiece::GettextDoubleQuotedSequence(pieces) => {
                    self.pieces(pieces, scope, elsewhere);
                }
                WordPiece::ParameterExpansion(expression) => {
                    use brush_parser::word::ParameterExpr as It;
                    if let It::UseDefaultValues { default_value: Some(text), .. }
                    | It::AssignDefaultValues { default_value: Some(text), .. }
                    | It::UseAlternativeValue { alternative_value: Some(text), .. } = expression
                    {
                        self.substitutions(&text.clone(), scope, elsewhere);
                    }
                }
                WordPiece::ArithmeticExpression(expression) => {
                    self.substitutions(&expression.value.clone(), scope, elsewhere);
                }
                _ => {}
            }
        }
    }

    /// Runs words: what the shell does itself, what other programs run, and what is left.
    fn run(
        &mut self,
        words: &[Word],
        assigned: Vec<(String, Word)>,
        scope: &mut Scope,
        input: &Input,
        elsewhere: bool,
    ) {
        if self.depth >= DEPTH || self.reading.calls.len() >= MOST {
            self.reading.unread = true;
            return;
        }
        let Some(first) = words.first() else { return };
        if let Some(program) = first.value() {
            if let Some(body) = scope.functions.get(program).cloned() {
                let mut own = scope.clone();
                own.positional = words.get(1..).unwrap_or_default().to_vec();
                self.depth += 1;
                let input = self.redirected(body.1.as_ref(), scope, input, elsewhere);
                self.compound(&body.0, &mut own, &input, elsewhere);
                self.depth -= 1;
                // It runs in the same shell.
                own.positional.clone_from(&scope.positional);
                *scope = own;
                return;
            }
            if let Some(alias) = scope.aliases.get(program) {
                let mut longer = scope.expand(&format!("\"{alias}\""));
                if let [only] = &longer[..] {
                    longer = only.text.split_whitespace().map(Word::known).collect();
                }
                if longer.first().is_some_and(|it| it != first) {
                    longer.extend_from_slice(words.get(1..).unwrap_or_default());
                    self.depth += 1;
                    self.run(&longer, assigned, scope, input, elsewhere);
                    self.depth -= 1;
                    return;
                }
            }
            if is_of_the_shell(program, words, scope, input) {
                return;
            }
        }
        let mut variables: BTreeMap<String, Word> = BTreeMap::new();
        for name in VARIABLES {
            if let Some(value) = scope.variable(name) {
                variables.insert((*name).to_owned(), value.clone());
            }
        }
        self.depth += 1;
        match runs(words) {
            Runs::Itself => {}
            Runs::Command { words, assigned: more, place } => {
                let elsewhere = elsewhere || place == Place::Elsewhere;
                let all = assigned.iter().cloned().chain(more).collect();
                self.run(&words, all, scope, input, elsewhere);
            }
            Runs::Script { text, positional, place } => {
                let mut own = scope.clone();
                own.positional = positional;
                for (name, value) in &assigned {
                    own.assign(name, vec![value.clone()]);
                }
                let elsewhere = elsewhere || place == Place::Elsewhere;
                match &text.output {
                    Some(_) => self.reading.unread = true,
                    None => self.script(&text.text, &mut own, input, elsewhere),
                }
            }
            Runs::ScriptOnInput { place } => {
                let elsewhere = elsewhere || place == Place::Elsewhere;
                match input {
                    Input::Text(text) => {
                        self.script(text, &mut scope.clone(), &Input::Unknown, elsewhere);
                    }
                    Input::Printed(_) | Input::Unknown => self.reading.unread = true,
                    Input::Inherited | Input::File(_) => {}
                }
            }
            Runs::Fed { words, mark } => {
                let fed = fed(input);
                let words = match mark {
                    None => words.into_iter().chain(fed).collect(),
                    Some(mark) => filled(&words, &mark, &fed),
                };
                self.run(&words, assigned.clone(), scope, &Input::Unknown, elsewhere);
            }
        }
        self.depth -= 1;
        variables.extend(assigned);
        let (folder, input) = (scope.folder.clone(), input.clone());
        self.reading.calls.push(Call {
            words: words.to_vec(),
            variables,
            folder,
            input,
            elsewhere,
        });
    }
}

/// Variables that docker obeys.
const VARIABLES: &[&str] = &[
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "CONTAINER_HOST",
    "COMPOSE_PROJECT_NAME",
    "COMPOSE_FILE",
    "COMPOSE_PROFILES",
    "COMPOSE_ENV_FILES",
];

fn parse(text: &str) -> Option<Program> {
    if text.len() > LONGEST || nested(text) > NESTED {
        return None;
    }
    // The parser is another's: a panic of it is no reason to know nothing.
    let parsed = std::panic::catch_unwind(|| {
        Parser::new(BufReader::new(text.as_bytes()), &options()).parse_program().ok()
    });
    parsed.ok().flatten()
}

/// How deep brackets and words of the shell can be nested at most.
fn nested(text: &str) -> usize {
    let brackets = text.matches(['(', '{', '`']).count();
    let words = ["if ", "while ", "until ", "for ", "case ", "do "];
    brackets + words.iter().map(|word| text.matches(word).count()).sum::<usize>()
}

/// `cd`, `export`, `read` and the like.
fn is_of_the_shell(program: &str, words: &[Word], scope: &mut Scope, input: &Input) -> bool {
    let rest = words.get(1..).unwrap_or_default();
    let operands = || rest.iter().filter(|word| !word.text.starts_with('-'));
    match program {
        "cd" | "pushd" => {
            let to = operands().next();
            scope.folder = match to {
                None => scope.home.clone(),
                Some(word) => word.value().and_then(|path| scope.resolve(path)),
            };
        }
        "popd" => scope.folder = None,
        "export" | "declare" | "typeset" | "local" | "readonly" => {
            for word in operands() {
                if let Some((name, value)) = word.text.split_once('=') {
                    let value = word.after(word.text.len() - value.len());
                    scope.assign(name, vec![value]);
                }
            }
        }
        "unset" => operands().for_each(|word| scope.unset(&word.text)),
        "alias" => {
            for word in operands() {
                if let Some((name, value)) = word.text.split_once('=') {
                    scope.aliases.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        "set" => {
            let given = rest.iter().position(|word| word.text == "--");
            if let Some(at) = given {
                scope.positional = rest.get(at + 1..).unwrap_or_default().to_vec();
            }
        }
        "shift" => {
            if !scope.positional.is_empty() {
                scope.positional.remove(0);
            }
        }
        "read" | "mapfile" | "readarray" => {
            let fed = fed(input);
            for word in operands() {
                // Whatever it is now, it is of what was read.
                scope.unset(&word.text);
                scope.assign(&word.text, fed.clone());
            }
        }
        _ => return false,
    }
    true
}

/// What a command that reads words gets.
fn fed(input: &Input) -> Vec<Word> {
    match input {
        Input::Text(text) => text.split_whitespace().map(Word::known).collect(),
        Input::Printed(commands) => vec![Word::output(commands.clone())],
        Input::Inherited | Input::File(_) | Input::Unknown => vec![Word::unknown("<input>")],
    }
}

/// The words with what is fed where the mark is.
fn filled(words: &[Word], mark: &str, fed: &[Word]) -> Vec<Word> {
    let fill = |word: &Word| {
        if word.text == mark {
            return fed.to_vec();
        }
        if !word.text.contains(mark) {
            return vec![word.clone()];
        }
        let each = |one: &Word| {
            let text = word.text.replace(mark, &one.text);
            Word { text, known: word.known && one.known, output: None, many: false }
        };
        fed.iter().take(1).map(each).collect()
    };
    words.iter().flat_map(fill).collect()
}

/// What the part of a pipeline so far prints.
fn printed(parts: &[Command], scope: &Scope) -> Input {
    if let [Command::Simple(simple)] = parts {
        let mut words = vec![];
        let mut input = None;
        let mut is_plain = simple.prefix.is_none();
        words.extend(simple.word_or_name.iter().flat_map(|word| scope.expand(&word.value)));
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                CommandPrefixOrSuffixItem::Word(word) => words.extend(scope.expand(&word.value)),
                CommandPrefixOrSuffixItem::IoRedirect(IoRedirect::HereDocument(_, document)) => {
                    input = Some(document.doc.value.clone());
                }
                _ => is_plain = false,
            }
        }
        let texts: Option<Vec<&str>> = words.iter().map(Word::value).collect();
        match (words.first().and_then(name), texts.as_deref(), input) {
            (Some("cat"), Some([_]), Some(text)) if is_plain => return Input::Text(text),
            (Some("cat"), Some([_, _]), None) if is_plain => {
                return words.get(1).cloned().map_or(Input::Unknown, Input::File);
            }
            (Some("echo"), Some([_, rest @ ..]), None) if is_plain => {
                let options = rest.iter().take_while(|it| matches!(**it, "-n" | "-e" | "-E"));
                let skipped = options.count();
                return Input::Text(rest.get(skipped..).unwrap_or_default().join(" "));
            }
            (Some("printf"), Some([_, format, rest @ ..]), None) if is_plain => {
                let mut text = format.replace("\\n", "\n");
                for (i, value) in rest.iter().enumerate() {
                    match text.find("%s") {
                        Some(at) => text.replace_range(at..at + 2, value),
                        None if i > 0 => text.push_str(&format!("\n{value}")),
                        None => {}
                    }
                }
                return Input::Text(text);
            }
            _ => {}
        }
    }
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    Input::Printed(parts.join(" | "))
}
