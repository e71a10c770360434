//! From definitions to rules over terminals: names are resolved, templates expanded, ignored terminals written in.
//!
//! A template with given arguments is one rule, however often it is used, so recursive templates end unless their arguments
//! grow. Only rules that the start rule needs are made.

use super::LarkOptions;
use super::ast::{At, Definition, Kind, Node};
use super::load::{Program, names_in};
use super::pattern::Re;
use super::terminals::{Needs, Terminals};
use crate::error::{Error, Result};
use crate::grammar::TokenSet;
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// An expression over terminals.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ir {
    /// A terminal, by number, without what may be ignored before it.
    Lexeme(usize),
    Token(TokenSet),
    Json(String, At),
    /// Any run of these pieces.
    Substring(Rc<Vec<String>>, At),
    Rule(usize),
    Sequence(Vec<Ir>),
    Choice(Vec<Ir>),
    Repeat(Box<Ir>, u32, Option<u32>),
}

/// A terminal that rules use.
pub(super) struct Lexeme {
    /// Its number among the definitions, if it has a name.
    pub(super) index: Option<usize>,
    pub(super) re: Rc<Re>,
    pub(super) needs: Needs,
    pub(super) at: At,
}

/// A rule.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) body: Ir,
    pub(super) at: Option<At>,
}

/// What a parameter of a template stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Argument {
    Value(Ir),
    /// A template, by its definition.
    Template(usize),
}

type Arguments = Rc<Vec<(String, Argument)>>;

pub(super) struct Expanded {
    pub(super) lexemes: Vec<Lexeme>,
    pub(super) rules: Vec<Rule>,
    /// Everything: the start rule, and what is ignored at the end.
    pub(super) root: usize,
}

struct Expander<'t, 'd> {
    terminals: &'t mut Terminals<'d>,
    program: &'d Program,
    options: &'t LarkOptions,
    out: Expanded,
    lexeme_of_name: FxHashMap<usize, usize>,
    lexeme_of_literal: FxHashMap<String, usize>,
    instances: FxHashMap<(usize, Arguments), usize>,
    todo: Vec<(usize, usize, Arguments)>,
    ignored: Option<usize>,
}

pub(super) fn expand<'d>(
    program: &'d Program,
    terminals: &mut Terminals<'d>,
    options: &LarkOptions,
) -> Result<Expanded> {
    validate(program)?;
    let out = Expanded { lexemes: Vec::new(), rules: Vec::new(), root: 0 };
    let mut expander = Expander {
        terminals,
        program,
        options,
        out,
        lexeme_of_name: FxHashMap::default(),
        lexeme_of_literal: FxHashMap::default(),
        instances: FxHashMap::default(),
        todo: Vec::new(),
        ignored: None,
    };
    expander.ignored()?;
    expander.root()?;
    while let Some((rule, definition, arguments)) = expander.todo.pop() {
        let definition = &program.definitions[definition];
        let Some(body) = &definition.body else {
            let feature = format!("the declared rule `{}`", definition.name);
            return Err(program.unsupported(definition.at, feature, "define it"));
        };
        expander.out.rules[rule].body = expander.expression(body, &arguments)?;
    }
    Ok(expander.out)
}

/// What Lark checks of all definitions, used or not.
fn validate(program: &Program) -> Result<()> {
    for definition in &program.definitions {
        for parameter in &definition.parameters {
            if program.by_name.contains_key(parameter) {
                let message = format!("the parameter `{parameter}` has the name of a rule");
                return Err(program.syntax(definition.at, message, "rename it"));
            }
        }
        let mut names = Vec::new();
        definition.body.iter().for_each(|body| names_in(body, &mut names));
        for (name, at) in names {
            let is_parameter = definition.parameters.iter().any(|parameter| parameter == name);
            if !is_parameter && !program.by_name.contains_key(name) {
                return Err(program.undefined(at, name));
            }
        }
    }
    Ok(())
}

impl<'d> Expander<'_, 'd> {
    fn rule(&mut self, name: &str, at: Option<At>) -> Result<usize> {
        if self.out.rules.len()
            >= self.options.template_uses.saturating_add(self.program.definitions.len() + 2)
        {
            let message = format!("templates expand to more than {} rules", self.options.template_uses);
            return Err(Error::LimitExceeded { limit: "template_uses", message });
        }
        self.out.rules.push(Rule { name: name.into(), body: Ir::Sequence(Vec::new()), at });
        Ok(self.out.rules.len() - 1)
    }

    /// The rule of what may be ignored, if anything.
    fn ignored(&mut self) -> Result<()> {
        if self.program.ignored.is_empty() {
            return Ok(());
        }
        let mut options = Vec::new();
        for node in &self.program.ignored {
            let lexeme = match &node.kind {
                Kind::Name(name) => match self.program.definition(name) {
                    None => return Err(self.program.undefined(node.at, name)),
                    Some((index, _)) => self.named(index, node.at)?,
                },
                _ => self.literal(node)?,
            };
            options.push(Ir::Lexeme(lexeme));
        }
        let rule = self.rule("ignored", None)?;
        self.out.rules[rule].body = Ir::Repeat(Box::new(Ir::Choice(options)), 0, None);
        self.ignored = Some(rule);
        Ok(())
    }

    fn root(&mut self) -> Result<()> {
        let start = &self.options.start;
        let nowhere = At { file: 0, start: 0, end: 0 };
        let Some((index, definition)) = self.program.definition(start) else {
            let names: Vec<&str> = self
                .program
                .definitions
                .iter()
                .filter(|d| !d.is_terminal)
                .map(|d| d.name.as_str())
                .take(20)
                .collect();
            let hint = match names[..] {
                [] => "the grammar has no rules at all".to_owned(),
                _ => format!("the rules are `{}`; choose the start among them", names.join("`, `")),
            };
            return Err(self.program.syntax(
                nowhere,
                format!("the start rule `{start}` is not defined"),
                &hint,
            ));
        };
        let mut parts = vec![self.symbol(index, definition.at)?];
        parts.extend(self.ignored.map(Ir::Rule));
        let root = self.rule("sentence", None)?;
        self.out.rules[root].body = Ir::Sequence(parts);
        self.out.root = root;
        Ok(())
    }

    /// A terminal after what may be ignored before it.
    fn after_ignored(&self, terminal: Ir) -> Ir {
        match self.ignored {
            None => terminal,
            Some(ignored) => Ir::Sequence(vec![Ir::Rule(ignored), terminal]),
        }
    }

    fn named(&mut self, index: usize, at: At) -> Result<usize> {
        if let Some(&lexeme) = self.lexeme_of_name.get(&index) {
            return Ok(lexeme);
        }
        let definition = &self.program.definitions[index];
        if !definition.is_terminal {
            let message = format!("the rule `{}` cannot be ignored", definition.name);
            return Err(self.program.syntax(at, message, "make it a terminal, in capitals"));
        }
        let (re, needs) = self.terminals.defined(index, at)?;
        self.out.lexemes.push(Lexeme { index: Some(index), re, needs, at: definition.at });
        self.lexeme_of_name.insert(index, self.out.lexemes.len() - 1);
        Ok(self.out.lexemes.len() - 1)
    }

    /// A string, pattern or range among the rules, or an expression to ignore.
    fn literal(&mut self, node: &Node) -> Result<usize> {
        let key = match &node.kind {
            Kind::Text { .. } | Kind::Regexp { .. } | Kind::Range(..) => Some(format!("{:?}", node.kind)),
            _ => None,
        };
        if let Some(&lexeme) = key.as_ref().and_then(|key| self.lexeme_of_literal.get(key)) {
            return Ok(lexeme);
        }
        let re = self.terminals.expression(node)?;
        let needs = self.terminals.needs(&re);
        if needs.algebra && (needs.looks || needs.lazy) {
            let feature = "lookaround or a lazy quantifier beside `&` and `~`";
            return Err(self.program.unsupported(
                node.at,
                feature,
                "write the condition with `&` and `~` alone",
            ));
        }
        self.out.lexemes.push(Lexeme { index: None, re, needs, at: node.at });
        key.into_iter().for_each(|key| {
            self.lexeme_of_literal.insert(key, self.out.lexemes.len() - 1);
        });
        Ok(self.out.lexemes.len() - 1)
    }

    /// A rule or terminal by its definition.
    fn symbol(&mut self, index: usize, at: At) -> Result<Ir> {
        let definition = &self.program.definitions[index];
        if definition.is_terminal {
            if let Some(Node { kind: Kind::Substring(pieces), at }) = &definition.body {
                return Ok(self.after_ignored(Ir::Substring(Rc::new(pieces.clone()), *at)));
            }
            let lexeme = self.named(index, at)?;
            return Ok(self.after_ignored(Ir::Lexeme(lexeme)));
        }
        if definition.body.is_none() {
            let feature = format!("the declared rule `{}`", definition.name);
            return Err(self.program.unsupported(at, feature, "define it"));
        }
        self.instance(index, Vec::new(), at).map(Ir::Rule)
    }

    fn instance(&mut self, index: usize, values: Vec<Argument>, at: At) -> Result<usize> {
        let definition: &Definition = &self.program.definitions[index];
        let (wanted, given) = (definition.parameters.len(), values.len());
        if wanted != given {
            let message = format!("`{}` takes {wanted} arguments and is given {given}", definition.name);
            return Err(self.program.syntax(at, message, "a template is used as `name{a, b}`"));
        }
        let arguments: Arguments = Rc::new(definition.parameters.iter().cloned().zip(values).collect());
        if let Some(&rule) = self.instances.get(&(index, Rc::clone(&arguments))) {
            return Ok(rule);
        }
        let rule = self.rule(&definition.name, Some(definition.at))?;
        self.instances.insert((index, Rc::clone(&arguments)), rule);
        self.todo.push((rule, index, arguments));
        Ok(rule)
    }

    fn expression(&mut self, node: &Node, arguments: &Arguments) -> Result<Ir> {
        Ok(match &node.kind {
            Kind::Name(name) => match find(arguments, name) {
                Some(Argument::Value(value)) => value,
                Some(Argument::Template(index)) => self.symbol(index, node.at)?,
                None => match self.program.definition(name) {
                    Some((index, _)) => self.symbol(index, node.at)?,
                    None => return Err(self.program.undefined(node.at, name)),
                },
            },
            Kind::Text { value, .. } if value.is_empty() => Ir::Sequence(Vec::new()),
            Kind::Text { .. } | Kind::Regexp { .. } | Kind::Range(..) | Kind::Both(_) | Kind::Not(_) => {
                let lexeme = self.literal(node)?;
                self.after_ignored(Ir::Lexeme(lexeme))
            }
            Kind::Template(name, values) => self.template(node, name, values, arguments)?,
            Kind::Sequence(parts) => Ir::Sequence(self.all(parts, arguments)?),
            Kind::Choice(options) => Ir::Choice(self.all(options, arguments)?),
            Kind::Repeat(body, min, max) => {
                Ir::Repeat(Box::new(self.expression(body, arguments)?), *min, *max)
            }
            Kind::Token(set) => self.after_ignored(Ir::Token(set.clone())),
            Kind::Json(json) => self.after_ignored(Ir::Json(json.clone(), node.at)),
            Kind::Substring(pieces) => self.after_ignored(Ir::Substring(Rc::new(pieces.clone()), node.at)),
        })
    }

    fn all(&mut self, nodes: &[Node], arguments: &Arguments) -> Result<Vec<Ir>> {
        nodes.iter().map(|node| self.expression(node, arguments)).collect()
    }

    fn template(&mut self, node: &Node, name: &str, values: &[Node], arguments: &Arguments) -> Result<Ir> {
        let index = match find(arguments, name) {
            Some(Argument::Template(index)) => index,
            Some(Argument::Value(_)) => {
                let message = format!("`{name}` is given something else than a template");
                return Err(self.program.syntax(node.at, message, "give it the name of a template"));
            }
            None => match self.program.definition(name) {
                Some((index, _)) => index,
                None => return Err(self.program.undefined(node.at, name)),
            },
        };
        let values = values.iter().map(|value| self.argument(value, arguments)).collect::<Result<_>>()?;
        self.instance(index, values, node.at).map(Ir::Rule)
    }

    fn argument(&mut self, node: &Node, arguments: &Arguments) -> Result<Argument> {
        if let Kind::Name(name) = &node.kind {
            if let Some(known) = find(arguments, name) {
                return Ok(known);
            }
            if let Some((index, definition)) = self.program.definition(name)
                && !definition.parameters.is_empty()
            {
                return Ok(Argument::Template(index));
            }
        }
        if matches!(node.kind, Kind::Sequence(_) | Kind::Choice(_) | Kind::Repeat(..)) {
            let hint = "arguments are rules, terminals, strings, patterns, ranges and templates in use";
            return Err(self.program.syntax(node.at, "a group cannot be a template's argument", hint));
        }
        self.expression(node, arguments).map(Argument::Value)
    }
}

fn find(arguments: &Arguments, name: &str) -> Option<Argument> {
    arguments.iter().find(|(parameter, _)| parameter == name).map(|(_, argument)| argument.clone())
}
