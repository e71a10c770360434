//! Machines side by side, as one.
//!
//! Invariant: states and rules keep the order in which they were met, so those of an only machine have the numbers they have there.

use super::horizon::Horizon;
use super::machine::{Leap, Like, Machine, MachineEdges, MachineRule, MachineState, Unbounded};
use crate::error::Result;

/// See the module.
#[derive(Debug)]
pub(super) struct Several {
    machines: Vec<Box<dyn Machine>>,
    states: Vec<MachineState>,
    rules: Vec<MachineRule>,
    /// Which machine a state is of, and its number there.
    origins: Vec<(usize, u32)>,
    /// For each machine, its states and rules under the numbers here.
    numbers: Vec<(Vec<u32>, Vec<u32>)>,
}

impl Several {
    pub(super) fn new(machines: Vec<Box<dyn Machine>>) -> Self {
        let numbers = vec![Default::default(); machines.len()];
        let mut several =
            Self { machines, states: Vec::new(), rules: Vec::new(), origins: Vec::new(), numbers };
        (0..several.machines.len()).for_each(|index| several.adopt(index));
        several
    }

    /// The number of a machine's first rule.
    pub(super) fn root(&self, machine: usize) -> u32 {
        self.numbers[machine].1[0]
    }

    /// The machine itself if it is the only one: its numbers are the same then.
    pub(super) fn into_only(mut self) -> Result<Box<dyn Machine>, Self> {
        match self.machines.pop() {
            Some(only) if self.machines.is_empty() => Ok(only),
            last => {
                self.machines.extend(last);
                Err(self)
            }
        }
    }

    fn adopt(&mut self, index: usize) {
        let (machine, (states, rules)) = (&self.machines[index], &mut self.numbers[index]);
        for at in states.len()..machine.states().len() {
            states.push(self.origins.len() as u32);
            self.origins.push((index, at as u32));
        }
        let known = rules.len();
        for rule in &machine.rules()[known..] {
            rules.push(self.rules.len() as u32);
            let (start, follow) = (states[rule.start as usize], rule.follow.map(|f| states[f as usize]));
            self.rules.push(MachineRule { start, follow, ..rule.clone() });
        }
        for &(of, at) in &self.origins[self.states.len()..] {
            let state = self.machines[of].states()[at as usize];
            let (states, rules) = &self.numbers[of];
            self.states.push(MachineState {
                rule: rules[state.rule as usize],
                repeated: state.repeated.map(|repeated| states[repeated as usize]),
                ..state
            });
        }
    }
}

impl Machine for Several {
    fn states(&self) -> &[MachineState] {
        &self.states
    }

    fn rules(&self) -> &[MachineRule] {
        &self.rules
    }

    fn rule_name(&self, rule: u32) -> String {
        let of = |(_, rules): &(Vec<u32>, Vec<u32>)| rules.iter().position(|&number| number == rule);
        let found = self.numbers.iter().enumerate().find_map(|(index, numbers)| Some((index, of(numbers)?)));
        found.map_or_else(String::new, |(index, at)| self.machines[index].rule_name(at as u32))
    }

    fn edges(&mut self, state: u32) -> Result<MachineEdges> {
        let (index, at) = self.origins[state as usize];
        let edges = self.machines[index].edges(at);
        self.adopt(index);
        let (states, rules) = &self.numbers[index];
        edges.map(|edges| MachineEdges {
            bytes: edges.bytes.into_iter().map(|(lo, hi, to)| (lo, hi, states[to as usize])).collect(),
            calls: edges
                .calls
                .into_iter()
                .map(|(rule, back)| (rules[rule as usize], states[back as usize]))
                .collect(),
            optional: edges.optional.map(|(rule, back)| (rules[rule as usize], states[back as usize])),
        })
    }

    fn ends(&mut self, state: u32, progress: u32, most: usize) -> Result<Option<Vec<Vec<u8>>>> {
        let (index, at) = self.origins[state as usize];
        let ends = self.machines[index].ends(at, progress, most);
        self.adopt(index);
        ends
    }

    fn take(&mut self, state: u32, progress: u32) -> Result<u32> {
        let (index, at) = self.origins[state as usize];
        self.machines[index].take(at, progress)
    }

    fn has_key(&mut self, state: u32, keys: (u32, u32)) -> Result<bool> {
        let (index, at) = self.origins[state as usize];
        let has = self.machines[index].has_key(at, keys);
        self.adopt(index);
        has
    }

    fn end_of_text(&mut self, state: u32, key: u32) -> Option<u32> {
        let (index, at) = self.origins[state as usize];
        let end = self.machines[index].end_of_text(at, key);
        self.adopt(index);
        end.map(|end| self.numbers[index].0[end as usize])
    }

    fn leap(&mut self, state: u32, text: &[u8]) -> Result<Leap> {
        let (index, at) = self.origins[state as usize];
        let leap = self.machines[index].leap(at, text);
        self.adopt(index);
        leap.map(|leap| match leap {
            Leap::To(to) => Leap::To(self.numbers[index].0[to as usize]),
            leap => leap,
        })
    }

    fn memory_size_bytes(&self) -> usize {
        let sizes = self.machines.iter().map(|machine| machine.memory_size_bytes());
        sizes.sum::<usize>() + self.origins.len() * size_of::<(usize, u32)>()
    }

    fn like(&mut self, state: u32) -> Option<Like> {
        let (index, at) = self.origins[state as usize];
        let like = self.machines[index].like(at);
        self.adopt(index);
        like.map(|like| Like { base: self.numbers[index].0[like.base as usize], ..like })
    }

    fn signature(&mut self, state: u32) -> Option<(u32, u32)> {
        let (index, at) = self.origins[state as usize];
        self.machines[index].signature(at)
    }

    fn unbounded(&mut self, state: u32) -> Option<Unbounded> {
        let (index, at) = self.origins[state as usize];
        let found = self.machines[index].unbounded(at);
        self.adopt(index);
        found.map(|found| found.map(|state| self.numbers[index].0[state as usize]))
    }

    fn to_end(&mut self, state: u32) -> Option<u32> {
        let (index, at) = self.origins[state as usize];
        self.machines[index].to_end(at)
    }

    fn horizon(&mut self, state: u32, is_thorough: bool) -> Option<Horizon> {
        let (index, at) = self.origins[state as usize];
        self.machines[index].horizon(at, is_thorough)
    }

    fn lacks(&mut self, state: u32) -> Option<Vec<Vec<u8>>> {
        let (index, at) = self.origins[state as usize];
        self.machines[index].lacks(at)
    }
}
