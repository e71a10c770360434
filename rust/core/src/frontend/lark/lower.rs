//! From rules over terminals to the grammar IR, multiplied out by contexts where terminals look around.
//!
//! A rule `A` becomes `A[q, r]`: what `A` matches from context `q` if it ends in context `r`. First the contexts in which each
//! rule can end are found as a least fixed point ([`Lowering::find_ends`]), then the rules that are met are written. Where
//! there is one context this is the grammar as it stands, counted repeats included.

use super::LarkOptions;
use super::ast::At;
use super::contexts::{Automaton, ContextId, Contexts, Runner};
use super::expand::{Expanded, Ir, expand};
use super::follow::Follow;
use super::load::Program;
use super::terminals::{Needs, Terminals};
use crate::automaton::{Budget, CancelToken};
use crate::error::{Error, Result};
use crate::frontend::right_linear;
use crate::grammar::{ExprId, Grammar, GrammarBuilder, RuleId, Span};
use crate::json_schema::{JsonSchema, JsonSchemaOptions};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Repeats of what changes contexts are written out up to so many rounds.
const MAX_UNROLLED: u32 = 64;

/// Where a definition stands in the main text; imported ones have no place there.
pub(super) fn span(at: At) -> Option<Span> {
    (at.file == 0).then_some(Span { start: at.start, end: at.end })
}

/// What an expression matches from a context, by the context it ends in.
type Ends = BTreeMap<ContextId, ExprId>;

pub(super) struct Lowering<'d> {
    pub(super) program: &'d Program,
    terminals: Terminals<'d>,
    pub(super) builder: GrammarBuilder,
    options: &'d LarkOptions,
    expanded: Rc<Expanded>,
    /// None where no terminal looks around.
    follow: Option<Rc<Follow>>,
    runners: Vec<Option<Rc<Runner>>>,
    automata: FxHashMap<(usize, ContextId), Rc<Automaton>>,
    /// The contexts in which a rule can end, by where it begins; and which rules need to know.
    ends: FxHashMap<(usize, ContextId), BTreeSet<ContextId>>,
    users: FxHashMap<(usize, ContextId), FxHashSet<(usize, ContextId)>>,
    stale: Vec<(usize, ContextId)>,
    variants: FxHashMap<(usize, ContextId, ContextId), RuleId>,
    unwritten: Vec<(usize, ContextId)>,
    written: FxHashMap<(usize, ContextId, ContextId), ExprId>,
    substrings: FxHashMap<Rc<Vec<String>>, ExprId>,
}

pub(super) fn lower(program: &Program, options: &LarkOptions) -> Result<Grammar> {
    let budget = Budget::new(None, options.terminal_states, CancelToken::default());
    let mut terminals = Terminals::new(program, Contexts::new(budget));
    let expanded = Rc::new(expand(program, &mut terminals, options)?);
    let source = program.files.first().map_or("", |file| file.text.as_str());
    let mut lowering = Lowering {
        program,
        terminals,
        builder: GrammarBuilder::new(source),
        options,
        runners: expanded.lexemes.iter().map(|_| None).collect(),
        expanded,
        follow: None,
        automata: FxHashMap::default(),
        ends: FxHashMap::default(),
        users: FxHashMap::default(),
        stale: Vec::new(),
        variants: FxHashMap::default(),
        unwritten: Vec::new(),
        written: FxHashMap::default(),
        substrings: FxHashMap::default(),
    };
    let root = lowering.run().map_err(by_our_limit)?;
    for (kind, message) in &program.notes {
        lowering.builder.annotate(kind, message.clone());
    }
    for definition in &program.definitions {
        for attribute in &definition.attributes.ignored {
            let message =
                format!("the attribute `{attribute}` of `{}` does not change the language", definition.name);
            lowering.builder.annotate("ignored-attribute", message);
        }
    }
    let mut grammar = lowering.builder.build(root)?;
    // Which of the rules made here are used is no news to anybody; Lark has nothing to say about those of the text.
    grammar.annotations.retain(|annotation| annotation.kind != "unreachable-rule");
    Ok(grammar)
}

/// The budget's limit has another name here than where grammars are compiled.
fn by_our_limit(error: Error) -> Error {
    match error {
        Error::LimitExceeded { limit: "state_limit", message } => {
            Error::LimitExceeded { limit: "terminal_states", message }
        }
        other => other,
    }
}

impl Lowering<'_> {
    fn run(&mut self) -> Result<RuleId> {
        let expanded = Rc::clone(&self.expanded);
        let special: Vec<usize> =
            (0..expanded.lexemes.len()).filter(|&l| !expanded.lexemes[l].needs.is_plain()).collect();
        for lexeme in special {
            self.runner(lexeme)?;
        }
        let first = self.terminals.contexts.first()?;
        if self.terminals.contexts.has_conditions() {
            self.follow = Some(Rc::new(Follow::new(&expanded, &self.terminals)));
        }
        self.find_ends(first)?;
        let ends: Vec<ContextId> = self.ends[&(expanded.root, first)].iter().copied().collect();
        let ends: Vec<ContextId> =
            ends.into_iter().filter(|&end| self.terminals.contexts.may_end(end)).collect();
        let mut options = Vec::new();
        for &end in &ends {
            options.push(self.variant(expanded.root, first, end));
        }
        while let Some((rule, from)) = self.unwritten.pop() {
            self.write(rule, from)?;
        }
        if let [only] = options[..] {
            return Ok(only);
        }
        let root = self.builder.declare_fresh("text");
        let options = options.into_iter().map(|option| self.builder.rule_ref(option)).collect();
        let body = self.builder.choice(options);
        self.builder.define(root, body, None)?;
        Ok(root)
    }

    fn runner(&mut self, lexeme: usize) -> Result<Rc<Runner>> {
        if let Some(runner) = &self.runners[lexeme] {
            return Ok(Rc::clone(runner));
        }
        let expanded = Rc::clone(&self.expanded);
        let found = &expanded.lexemes[lexeme];
        let runner = Rc::new(self.terminals.runner(&found.re, found.needs, found.at)?);
        self.runners[lexeme] = Some(Rc::clone(&runner));
        Ok(runner)
    }

    fn automaton(&mut self, lexeme: usize, from: ContextId) -> Result<Rc<Automaton>> {
        if let Some(automaton) = self.automata.get(&(lexeme, from)) {
            return Ok(Rc::clone(automaton));
        }
        let runner = self.runner(lexeme)?;
        let automaton = Rc::new(self.terminals.contexts.explore(&runner, from)?);
        self.automata.insert((lexeme, from), Rc::clone(&automaton));
        Ok(automaton)
    }

    fn is_plain(&mut self, needs: Needs, from: ContextId) -> bool {
        needs.is_plain() && self.terminals.contexts.is_plain(from)
    }

    /// The context to begin an expression in: conditions that it cannot break are over.
    fn enter(&mut self, ir: &Ir, from: ContextId) -> Result<ContextId> {
        let Some(follow) = self.follow.clone() else { return Ok(from) };
        if self.terminals.contexts.is_plain(from) || matches!(ir, Ir::Choice(_) | Ir::Repeat(..)) {
            return Ok(from);
        }
        let first = follow.first(ir);
        if first.nullable { Ok(from) } else { self.terminals.contexts.eased(from, &first.begin) }
    }

    /// The context to leave a rule in: conditions that nothing after it can break are void.
    fn leave(&mut self, rule: usize, to: ContextId) -> Result<ContextId> {
        match self.follow.clone() {
            None => Ok(to),
            Some(follow) => self.terminals.contexts.eased(to, &follow.follow[rule]),
        }
    }

    // --- Where rules can end ---

    /// A least fixed point: a rule is looked at again when one that it uses can end in a new context.
    fn find_ends(&mut self, first: ContextId) -> Result<()> {
        let expanded = Rc::clone(&self.expanded);
        self.ends.insert((expanded.root, first), BTreeSet::new());
        self.stale.push((expanded.root, first));
        while let Some(key) = self.stale.pop() {
            let mut ends = BTreeSet::new();
            for end in self.ends_of(&expanded.rules[key.0].body, &BTreeSet::from([key.1]), key)? {
                ends.insert(self.leave(key.0, end)?);
            }
            let known = self.ends.entry(key).or_default();
            if ends.len() > known.len() {
                *known = ends;
                self.stale.extend(self.users.get(&key).into_iter().flatten());
            }
        }
        Ok(())
    }

    fn ends_of(
        &mut self,
        ir: &Ir,
        from: &BTreeSet<ContextId>,
        user: (usize, ContextId),
    ) -> Result<BTreeSet<ContextId>> {
        let mut out = BTreeSet::new();
        let mut entered = BTreeSet::new();
        for &q in from {
            entered.insert(self.enter(ir, q)?);
        }
        let from = &entered;
        match ir {
            Ir::Lexeme(lexeme) => {
                let needs = self.expanded.lexemes[*lexeme].needs;
                for &q in from {
                    if self.is_plain(needs, q) {
                        out.insert(q);
                    } else {
                        out.extend(self.automaton(*lexeme, q)?.ends.iter().flatten());
                    }
                }
            }
            Ir::Rule(rule) => {
                for &q in from {
                    let key = (*rule, q);
                    self.users.entry(key).or_default().insert(user);
                    match self.ends.get(&key) {
                        Some(ends) => out.extend(ends),
                        None => {
                            self.ends.insert(key, BTreeSet::new());
                            self.stale.push(key);
                        }
                    }
                }
            }
            Ir::Token(_) | Ir::Json(..) | Ir::Substring(..) => {
                for &q in from {
                    out.extend(self.wall(ir, q)?);
                }
            }
            Ir::Sequence(parts) => {
                out.clone_from(from);
                for part in parts {
                    out = self.ends_of(part, &out, user)?;
                }
            }
            Ir::Choice(options) => {
                for option in options {
                    out.extend(self.ends_of(option, from, user)?);
                }
            }
            Ir::Repeat(body, ..) => out = self.closure(body, from, user)?,
        }
        Ok(out)
    }

    /// The contexts that any number of rounds leads to.
    fn closure(
        &mut self,
        body: &Ir,
        from: &BTreeSet<ContextId>,
        user: (usize, ContextId),
    ) -> Result<BTreeSet<ContextId>> {
        let mut all = from.clone();
        loop {
            let more = self.ends_of(body, &all, user)?;
            let before = all.len();
            all.extend(more);
            if all.len() == before {
                return Ok(all);
            }
        }
    }

    /// What is no text of a terminal is a wall: lookaheads meet the end of the text before a special token, lookbehinds its
    /// beginning after it. Beside JSON and substrings no condition may be open.
    fn wall(&mut self, ir: &Ir, from: ContextId) -> Result<Option<ContextId>> {
        if let Ir::Token(_) = ir {
            let may_end = self.terminals.contexts.may_end(from);
            return if may_end { self.terminals.contexts.first().map(Some) } else { Ok(None) };
        }
        if self.terminals.contexts.is_plain(from) {
            return Ok(Some(from));
        }
        let (at, what) = match ir {
            Ir::Json(_, at) => (*at, "%json"),
            Ir::Substring(_, at) => (*at, "%regex"),
            _ => return Ok(None),
        };
        let hint = "put a terminal between them, or leave out the lookaround at the terminal's end";
        Err(self.program.unsupported(at, format!("a terminal that looks into {what}"), hint))
    }

    // --- Writing rules ---

    fn variant(&mut self, rule: usize, from: ContextId, to: ContextId) -> RuleId {
        if let Some(&known) = self.variants.get(&(rule, from, to)) {
            return known;
        }
        let ends: Vec<ContextId> = self.ends.get(&(rule, from)).into_iter().flatten().copied().collect();
        for end in ends {
            let id = self.builder.declare_fresh(&self.expanded.rules[rule].name);
            self.variants.insert((rule, from, end), id);
        }
        self.unwritten.push((rule, from));
        match self.variants.get(&(rule, from, to)) {
            Some(&id) => id,
            None => self.builder.declare_fresh(&self.expanded.rules[rule].name),
        }
    }

    fn write(&mut self, rule: usize, from: ContextId) -> Result<()> {
        self.check_size()?;
        let expanded = Rc::clone(&self.expanded);
        let found = &expanded.rules[rule];
        let mut all: BTreeMap<ContextId, Vec<ExprId>> = BTreeMap::new();
        for (end, body) in self.expr(&found.body, from)? {
            all.entry(self.leave(rule, end)?).or_default().push(body);
        }
        let mut bodies: Ends =
            all.into_iter().map(|(end, bodies)| (end, self.builder.choice(bodies))).collect();
        let ends: Vec<ContextId> = self.ends.get(&(rule, from)).into_iter().flatten().copied().collect();
        for end in ends {
            let Some(&id) = self.variants.get(&(rule, from, end)) else { continue };
            let body = match bodies.remove(&end) {
                Some(body) => body,
                None => self.builder.choice(Vec::new()),
            };
            self.builder.define(id, body, found.at.and_then(span))?;
        }
        Ok(())
    }

    fn check_size(&self) -> Result<()> {
        if self.builder.expression_count() <= self.options.expressions {
            return Ok(());
        }
        let message = format!("more than {} expressions", self.options.expressions);
        Err(Error::LimitExceeded { limit: "expressions", message })
    }

    fn expr(&mut self, ir: &Ir, from: ContextId) -> Result<Ends> {
        let from = self.enter(ir, from)?;
        Ok(match ir {
            Ir::Lexeme(lexeme) => self.lexeme(*lexeme, from)?,
            Ir::Rule(rule) => {
                let ends: Vec<ContextId> =
                    self.ends.get(&(*rule, from)).into_iter().flatten().copied().collect();
                let mut out = Ends::new();
                for end in ends {
                    let id = self.variant(*rule, from, end);
                    out.insert(end, self.builder.rule_ref(id));
                }
                out
            }
            Ir::Token(_) | Ir::Json(..) | Ir::Substring(..) => match self.wall(ir, from)? {
                Some(to) => Ends::from([(to, self.leaf(ir)?)]),
                None => Ends::new(),
            },
            Ir::Sequence(parts) => self.sequence(parts, from)?,
            Ir::Choice(options) => {
                let mut all: BTreeMap<ContextId, Vec<ExprId>> = BTreeMap::new();
                for option in options {
                    for (end, expr) in self.expr(option, from)? {
                        all.entry(end).or_default().push(expr);
                    }
                }
                all.into_iter().map(|(end, options)| (end, self.builder.choice(options))).collect()
            }
            Ir::Repeat(body, min, max) => self.repeat(body, *min, *max, from)?,
        })
    }

    fn leaf(&mut self, ir: &Ir) -> Result<ExprId> {
        Ok(match ir {
            Ir::Token(set) => self.builder.token(set.clone()),
            Ir::Json(schema, _) => self.builder.json_schema(JsonSchema {
                schema: schema.clone(),
                documents: Vec::new(),
                options: JsonSchemaOptions::default(),
            }),
            Ir::Substring(pieces, _) => self.substring(pieces)?,
            _ => self.builder.choice(Vec::new()),
        })
    }

    fn sequence(&mut self, parts: &[Ir], from: ContextId) -> Result<Ends> {
        let mut so_far: BTreeMap<ContextId, Vec<ExprId>> = BTreeMap::from([(from, Vec::new())]);
        for part in parts {
            let mut next: BTreeMap<ContextId, Vec<Vec<ExprId>>> = BTreeMap::new();
            for (q, mut before) in so_far {
                let ends = self.expr(part, q)?;
                if ends.len() > 1 && before.len() > 1 {
                    before = vec![self.builder.concat(before)];
                }
                for (end, expr) in ends {
                    let parts: Vec<ExprId> = before.iter().copied().chain([expr]).collect();
                    next.entry(end).or_default().push(parts);
                }
            }
            so_far = next.into_iter().map(|(end, ways)| (end, self.one_way(ways))).collect();
        }
        Ok(so_far.into_iter().map(|(end, parts)| (end, self.builder.concat(parts))).collect())
    }

    /// Several sequences as one.
    fn one_way(&mut self, mut ways: Vec<Vec<ExprId>>) -> Vec<ExprId> {
        if ways.len() == 1 {
            return ways.pop().unwrap_or_default();
        }
        let options = ways.into_iter().map(|parts| self.builder.concat(parts)).collect();
        vec![self.builder.choice(options)]
    }

    fn repeat(&mut self, body: &Ir, min: u32, max: Option<u32>, from: ContextId) -> Result<Ends> {
        let user = (self.expanded.root, from);
        let all = self.closure(body, &BTreeSet::from([from]), user)?;
        if all.len() == 1 {
            return Ok(match self.expr(body, from)?.remove(&from) {
                Some(body) => Ends::from([(from, self.builder.repeat(body, min, max))]),
                None if min == 0 => Ends::from([(from, self.builder.empty())]),
                None => Ends::new(),
            });
        }
        let rounds = max.unwrap_or(min);
        if rounds > MAX_UNROLLED {
            let message =
                format!("a repeat of more than {MAX_UNROLLED} rounds has terminals that look around");
            return Err(Error::LimitExceeded { limit: "unrolled_rounds", message });
        }
        self.rounds(body, min, max, from, &all)
    }

    /// Rules for "from context `p`, after so many rounds, to context `r`"; without an upper bound the last one loops.
    fn rounds(
        &mut self,
        body: &Ir,
        min: u32,
        max: Option<u32>,
        from: ContextId,
        all: &BTreeSet<ContextId>,
    ) -> Result<Ends> {
        let levels = max.unwrap_or(min);
        let mut rules = FxHashMap::default();
        for level in 0..=levels {
            for &p in all {
                for &r in all {
                    rules.insert((level, p, r), self.builder.declare_fresh("rounds"));
                }
            }
        }
        for &p in all {
            let ends = self.expr(body, p)?;
            for level in 0..=levels {
                for &r in all {
                    let mut options = Vec::new();
                    if level >= min && p == r {
                        options.push(self.builder.empty());
                    }
                    if max.is_none_or(|max| level < max) {
                        let next = if max.is_none() { (level + 1).min(levels) } else { level + 1 };
                        for (&via, &expr) in &ends {
                            let rest = self.builder.rule_ref(rules[&(next, via, r)]);
                            options.push(self.builder.concat(vec![expr, rest]));
                        }
                    }
                    let body = self.builder.choice(options);
                    self.builder.define(rules[&(level, p, r)], body, None)?;
                }
            }
            self.check_size()?;
        }
        Ok(all.iter().map(|&r| (r, self.builder.rule_ref(rules[&(0, from, r)]))).collect())
    }

    // --- Terminals ---

    fn lexeme(&mut self, lexeme: usize, from: ContextId) -> Result<Ends> {
        let expanded = Rc::clone(&self.expanded);
        let found = &expanded.lexemes[lexeme];
        if self.is_plain(found.needs, from) {
            if let Some(&expr) = self.written.get(&(lexeme, from, from)) {
                return Ok(Ends::from([(from, expr)]));
            }
            let expr = match found.index {
                Some(index) => self.terminals.plain_rule(&mut self.builder, index)?,
                None => self.terminals.plain(&mut self.builder, &found.re)?,
            };
            self.written.insert((lexeme, from, from), expr);
            return Ok(Ends::from([(from, expr)]));
        }
        let automaton = self.automaton(lexeme, from)?;
        let ends: BTreeSet<ContextId> = automaton.ends.iter().flatten().copied().collect();
        let mut out = Ends::new();
        for end in ends {
            let key = (lexeme, from, end);
            let expr = match self.written.get(&key) {
                Some(&expr) => expr,
                None => self.automaton_to(&automaton, end, found.index)?,
            };
            self.written.insert(key, expr);
            out.insert(end, expr);
        }
        Ok(out)
    }

    /// The texts of an automaton that end in a context.
    fn automaton_to(
        &mut self,
        automaton: &Automaton,
        end: ContextId,
        named: Option<usize>,
    ) -> Result<ExprId> {
        self.check_size()?;
        let empty = self.builder.empty();
        let exit = |ends: &Vec<ContextId>| if ends.contains(&end) { vec![empty] } else { Vec::new() };
        let exits: Vec<Vec<ExprId>> = automaton.ends.iter().map(exit).collect();
        let name = named.map_or("terminal", |index| &self.program.definitions[index].name);
        right_linear::write(&mut self.builder, &mut self.terminals.classes, name, &automaton.edges, &exits)
    }

    /// Any run of pieces: the suffix automaton of their sequence (Blumer et al., 1985), every state of it final.
    fn substring(&mut self, pieces: &Rc<Vec<String>>) -> Result<ExprId> {
        if let Some(&known) = self.substrings.get(pieces) {
            return Ok(known);
        }
        let edges = super::suffixes::automaton(pieces);
        let rules: Vec<RuleId> = edges.iter().map(|_| self.builder.declare_fresh("substring")).collect();
        for (edges, &rule) in edges.iter().zip(&rules) {
            self.check_size()?;
            let mut options = vec![self.builder.empty()];
            for (piece, target) in edges {
                let (text, rest) = (self.builder.literal(piece), self.builder.rule_ref(rules[*target]));
                options.push(self.builder.concat(vec![text, rest]));
            }
            let body = self.builder.choice(options);
            self.builder.define(rule, body, None)?;
        }
        let expr = self.builder.rule_ref(rules[0]);
        self.substrings.insert(Rc::clone(pieces), expr);
        Ok(expr)
    }
}
