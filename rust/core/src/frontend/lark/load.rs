//! From texts to one set of definitions: imports, `%override`, `%extend`, `%declare`, `%ignore`.
//!
//! Names follow Lark: an imported name is its alias here, and what it needs from its file is prefixed by the file's path, so
//! that nothing clashes. `%ignore` counts in the main text alone.

use super::ast::{At, Definition, Import, Kind, Mode, Node, Statement, is_terminal_name};
use super::parser::Parser;
use super::{LarkOptions, Loader, common};
use crate::error::{Error, Location, Result};
use rustc_hash::{FxHashMap, FxHashSet};

/// How many times files may be read, and how deep imports may nest.
const MAX_FILES: usize = 1000;
const MAX_IMPORT_DEPTH: usize = 50;

/// Where the grammars are that only Lark ships.
const LARKS_OWN: &str =
    "Lark ships it: `import_paths=[pathlib.Path(lark.__file__).with_name(\"grammars\")]` in Python";

/// A text that definitions came from.
#[derive(Debug)]
pub(super) struct File {
    /// Its path; `None` for the main text.
    pub(super) path: Option<String>,
    pub(super) text: String,
}

/// All definitions that make up a grammar.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) files: Vec<File>,
    pub(super) definitions: Vec<Definition>,
    pub(super) by_name: FxHashMap<String, usize>,
    pub(super) ignored: Vec<Node>,
    pub(super) notes: Vec<(&'static str, String)>,
    /// Imported names that their files do not define, and where they are imported. Lark asks for them only where they are used.
    missing: FxHashMap<String, (String, At)>,
}

impl Program {
    fn located(&self, at: At, message: String) -> (Location, String) {
        let Some(file) = self.files.get(at.file as usize) else {
            return (Location::new("", 0), message);
        };
        let location = Location::new(&file.text, at.start as usize);
        match &file.path {
            None => (location, message),
            Some(path) => (location, format!("in the imported grammar `{path}`: {message}")),
        }
    }

    pub(super) fn syntax(&self, at: At, message: impl Into<String>, hint: &str) -> Error {
        let (location, message) = self.located(at, message.into());
        Error::Syntax { message, location, hint: hint.into() }
    }

    pub(super) fn unsupported(&self, at: At, feature: impl Into<String>, hint: &str) -> Error {
        let (location, feature) = self.located(at, feature.into());
        Error::Unsupported { feature, location, hint: hint.into() }
    }

    pub(super) fn undefined(&self, at: At, name: &str) -> Error {
        if let Some((message, imported_at)) = self.missing.get(name) {
            return self.syntax(*imported_at, message, "correct the spelling");
        }
        let (location, _) = self.located(at, String::new());
        Error::UndefinedRule { name: name.into(), location }
    }

    pub(super) fn definition(&self, name: &str) -> Option<(usize, &Definition)> {
        let &index = self.by_name.get(name)?;
        Some((index, self.definitions.get(index)?))
    }

    fn insert(&mut self, definition: Definition) {
        self.by_name.insert(definition.name.clone(), self.definitions.len());
        self.definitions.push(definition);
    }

    fn define(&mut self, mode: Mode, definition: Definition) -> Result<()> {
        let known = self.by_name.get(&definition.name).copied();
        let name = &definition.name;
        match (mode, known) {
            (Mode::Define, None) => self.insert(definition),
            (Mode::Define, Some(_)) => {
                let hint = "join the two with `|`, or use %override or %extend";
                return Err(self.syntax(definition.at, format!("`{name}` is defined twice"), hint));
            }
            (_, None) => {
                let message = format!("`{name}` is not defined, so it cannot be overridden or extended");
                return Err(self.syntax(definition.at, message, "import or define it first"));
            }
            (Mode::Override, Some(index)) => self.definitions[index] = definition,
            (Mode::Extend, Some(index)) => self.extend(index, definition)?,
        }
        Ok(())
    }

    fn extend(&mut self, index: usize, definition: Definition) -> Result<()> {
        let old = &self.definitions[index];
        if old.is_terminal != definition.is_terminal || old.parameters != definition.parameters {
            let message = format!("`{}` is extended as something else than it is", definition.name);
            return Err(self.syntax(definition.at, message, "keep its kind and its parameters"));
        }
        let (Some(before), Some(more)) = (old.body.clone(), definition.body) else {
            let message = format!("`{}` is only declared, so it cannot be extended", definition.name);
            return Err(self.syntax(definition.at, message, "define it"));
        };
        let at = more.at;
        self.definitions[index].body = Some(Node { kind: Kind::Choice(vec![more, before]), at });
        Ok(())
    }
}

/// How names of an imported file are called where they are imported.
struct Mangle<'m> {
    prefix: String,
    aliases: FxHashMap<String, String>,
    outer: Option<&'m Mangle<'m>>,
}

impl Mangle<'_> {
    fn name(&self, name: &str) -> String {
        let name = match (self.aliases.get(name), name.strip_prefix('_')) {
            (Some(alias), _) => alias.clone(),
            (None, Some(rest)) => format!("_{}__{rest}", self.prefix),
            (None, None) => format!("{}__{name}", self.prefix),
        };
        self.outer.map_or(name.clone(), |outer| outer.name(&name))
    }

    fn node(&self, node: &mut Node) {
        match &mut node.kind {
            Kind::Name(name) => *name = self.name(name),
            Kind::Template(name, arguments) => {
                *name = self.name(name);
                arguments.iter_mut().for_each(|argument| self.node(argument));
            }
            Kind::Sequence(parts) | Kind::Choice(parts) | Kind::Both(parts) => {
                parts.iter_mut().for_each(|part| self.node(part));
            }
            Kind::Repeat(body, ..) | Kind::Not(body) => self.node(body),
            _ => {}
        }
    }

    fn definition(&self, definition: &mut Definition) {
        definition.name = self.name(&definition.name);
        definition.parameters.iter_mut().for_each(|name| *name = self.name(name));
        definition.body.iter_mut().for_each(|body| self.node(body));
        definition.attributes.suffix.iter_mut().for_each(|suffix| self.node(suffix));
        definition.attributes.stop.iter_mut().for_each(|stop| self.node(stop));
    }
}

pub(super) struct Reader<'a> {
    options: &'a LarkOptions,
    loader: Loader<'a>,
    files: Vec<File>,
    bytes: usize,
}

/// Reads a text and all that it imports.
pub(super) fn load(text: &str, options: &LarkOptions, loader: Loader<'_>) -> Result<Program> {
    let mut reader = Reader { options, loader, files: Vec::new(), bytes: 0 };
    let mut program = reader.read(None, text.to_owned(), None, 0)?;
    program.files = reader.files;
    Ok(program)
}

impl Reader<'_> {
    fn add_file(&mut self, path: Option<String>, text: String) -> Result<u32> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > self.options.text_bytes.min(u32::MAX as usize) {
            let message = format!("the texts have more than {} bytes together", self.options.text_bytes);
            return Err(Error::LimitExceeded { limit: "text_bytes", message });
        }
        if self.files.len() >= MAX_FILES {
            let message = format!("more than {MAX_FILES} imported files");
            return Err(Error::LimitExceeded { limit: "imported_files", message });
        }
        self.files.push(File { path, text });
        Ok(self.files.len() as u32 - 1)
    }

    fn read(
        &mut self,
        path: Option<String>,
        text: String,
        mangle: Option<&Mangle<'_>>,
        depth: usize,
    ) -> Result<Program> {
        let file = self.add_file(path.clone(), text.clone())?;
        let mut parser = Parser::new(&text, file, self.options.nesting_depth);
        let statements = parser.statements().map_err(|error| in_file(error, path.as_deref()))?;
        let mut program = Program { notes: parser.notes, ..Program::default() };
        // Errors need the texts; they are lent for the time being.
        program.files = std::mem::take(&mut self.files);
        let result = self.assemble(&mut program, statements, path.as_deref(), mangle, depth);
        self.files = std::mem::take(&mut program.files);
        result.map(|()| program)
    }

    fn assemble(
        &mut self,
        program: &mut Program,
        statements: Vec<Statement>,
        path: Option<&str>,
        mangle: Option<&Mangle<'_>>,
        depth: usize,
    ) -> Result<()> {
        let (imports, rest): (Vec<_>, Vec<_>) =
            statements.into_iter().partition(|statement| matches!(statement, Statement::Import(_)));
        let mut merged: Vec<Import> = Vec::new();
        for statement in imports {
            let Statement::Import(import) = statement else { continue };
            match merged.iter_mut().find(|m| m.path == import.path && m.is_relative == import.is_relative) {
                Some(known) => known.names.extend(import.names),
                None => merged.push(import),
            }
        }
        for import in &merged {
            self.import(program, import, path, mangle, depth)?;
        }
        for statement in rest {
            match statement {
                Statement::Define(mode, mut definition) => {
                    mangle.iter().for_each(|mangle| mangle.definition(&mut definition));
                    program.define(mode, definition)?;
                }
                Statement::Declare(names) => {
                    for (name, at) in names {
                        let name = mangle.map_or(name.clone(), |mangle| mangle.name(&name));
                        program.define(Mode::Define, declared(name, at))?;
                    }
                }
                Statement::Ignore(node) if mangle.is_none() => program.ignored.push(node),
                Statement::Ignore(_) | Statement::Import(_) => {}
            }
        }
        Ok(())
    }

    fn import(
        &mut self,
        program: &mut Program,
        import: &Import,
        from: Option<&str>,
        outer: Option<&Mangle<'_>>,
        depth: usize,
    ) -> Result<()> {
        if depth >= MAX_IMPORT_DEPTH {
            let hint = "a file imports itself, perhaps by way of others";
            return Err(program.syntax(import.at, "imports nest too deeply", hint));
        }
        let mut path = import.path.join("/") + ".lark";
        if let Some((directory, _)) =
            from.filter(|_| import.is_relative).and_then(|from| from.rsplit_once('/'))
        {
            path = format!("{directory}/{path}");
        }
        let built_in = || common::text(&path).filter(|_| !import.is_relative).map(str::to_owned);
        let Some(text) = (self.loader)(&path)?.or_else(built_in) else {
            let message = format!("there is no grammar `{path}` to import");
            let hint = match path.as_str() {
                "python.lark" | "lark.lark" => LARKS_OWN,
                _ => {
                    "give its text in `imports`, or its directory in `import_paths`; `common` and `unicode` are built in"
                }
            };
            return Err(program.syntax(import.at, message, hint));
        };
        let mangle =
            Mangle { prefix: import.path.join("__"), aliases: import.names.iter().cloned().collect(), outer };
        self.files = std::mem::take(&mut program.files);
        let read = self.read(Some(path.clone()), text, Some(&mangle), depth + 1);
        program.files = std::mem::take(&mut self.files);
        let imported = read?;
        program.notes.extend(imported.notes.iter().cloned());
        let wanted: Vec<String> = mangle.aliases.keys().map(|name| mangle.name(name)).collect();
        for (name, alias) in &import.names {
            if is_terminal_name(name) != is_terminal_name(alias) {
                let hint = "a rule's alias is in small letters, a terminal's in capitals";
                return Err(program.syntax(import.at, format!("`{name}` cannot become `{alias}`"), hint));
            }
            let here = mangle.name(name);
            if !imported.by_name.contains_key(&here) {
                let message = format!("`{path}` does not define `{name}`");
                program.notes.push(("unknown-import", message.clone()));
                program.missing.insert(here, (message, import.at));
            }
        }
        program.missing.extend(imported.missing.iter().map(|(name, place)| (name.clone(), place.clone())));
        for index in used(&imported, &wanted) {
            let definition = imported.definitions[index].clone();
            if program.by_name.contains_key(&definition.name) {
                let message = format!("`{}` is imported twice", definition.name);
                return Err(program.syntax(import.at, message, "import it once, or under another name"));
            }
            program.insert(definition);
        }
        Ok(())
    }
}

fn declared(name: String, at: At) -> Definition {
    Definition {
        is_terminal: is_terminal_name(&name),
        name,
        parameters: Vec::new(),
        attributes: super::ast::Attributes::default(),
        body: None,
        at,
    }
}

/// The definitions that these names need, in order.
fn used(program: &Program, names: &[String]) -> Vec<usize> {
    let mut todo: Vec<usize> = names.iter().filter_map(|name| program.by_name.get(name).copied()).collect();
    let mut seen: FxHashSet<usize> = todo.iter().copied().collect();
    while let Some(index) = todo.pop() {
        let definition = &program.definitions[index];
        let mut names = Vec::new();
        definition.body.iter().for_each(|body| names_in(body, &mut names));
        definition.attributes.suffix.iter().for_each(|suffix| names_in(suffix, &mut names));
        definition.attributes.stop.iter().for_each(|stop| names_in(stop, &mut names));
        for (name, _) in names {
            if let Some(&index) = program.by_name.get(name)
                && seen.insert(index)
            {
                todo.push(index);
            }
        }
    }
    let mut all: Vec<usize> = seen.into_iter().collect();
    all.sort_unstable();
    all
}

/// Every name in an expression, with its place.
pub(super) fn names_in<'n>(node: &'n Node, out: &mut Vec<(&'n str, At)>) {
    match &node.kind {
        Kind::Name(name) => out.push((name, node.at)),
        Kind::Template(name, arguments) => {
            out.push((name, node.at));
            arguments.iter().for_each(|argument| names_in(argument, out));
        }
        Kind::Sequence(parts) | Kind::Choice(parts) | Kind::Both(parts) => {
            parts.iter().for_each(|part| names_in(part, out));
        }
        Kind::Repeat(body, ..) | Kind::Not(body) => names_in(body, out),
        _ => {}
    }
}

/// An error in an imported file says so.
fn in_file(error: Error, path: Option<&str>) -> Error {
    let Some(path) = path else { return error };
    let named = |text: String| format!("in the imported grammar `{path}`: {text}");
    match error {
        Error::Syntax { message, location, hint } => {
            Error::Syntax { message: named(message), location, hint }
        }
        Error::Unsupported { feature, location, hint } => {
            Error::Unsupported { feature: named(feature), location, hint }
        }
        Error::LimitExceeded { limit, message } => Error::LimitExceeded { limit, message: named(message) },
        other => other,
    }
}
