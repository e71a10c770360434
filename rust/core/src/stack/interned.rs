//! Sets made of the configurations that were found: folded together where they can be, and each kept once.

use super::nodes::hash_of;
use super::sets::SetHead;
use super::{Arena, Config, Count, SetFlags, SetId};
use crate::automaton::Pda;

impl Arena {
    /// The set of one configuration (none, if nothing can follow its state).
    pub(crate) fn set_of(&mut self, pda: &Pda, config: Config, flags: SetFlags) -> SetId {
        if pda.has_edges(config.state) {
            self.scratch.out.push(config);
        }
        self.scratch.flags = flags;
        self.finish_set()
    }

    /// The set of some configurations of others.
    pub(crate) fn set_of_configs(&mut self, configs: &[Config], flags: SetFlags) -> SetId {
        self.scratch.out.extend_from_slice(configs);
        self.scratch.flags = flags;
        self.finish_set()
    }

    /// Folds the configurations found, and interns the set.
    pub(super) fn finish_set(&mut self) -> SetId {
        let mut out = std::mem::take(&mut self.scratch.out);
        let flags = std::mem::take(&mut self.scratch.flags);
        if out.len() > 1 {
            self.fold(&mut out);
        }
        let set = self.intern_set(&out, flags);
        out.clear();
        self.scratch.out = out;
        set
    }

    /// One stack set a (state, counter), then one interval a (state, stack set) where they touch.
    pub(super) fn fold(&mut self, configs: &mut Vec<Config>) {
        configs.sort_unstable_by_key(|c| (c.state, c.count, c.register, c.node));
        configs.dedup();
        let mut kept = 0;
        for i in 0..configs.len() {
            let config = configs[i];
            let key = |c: Config| (c.state, c.count, c.register);
            if kept > 0 && key(configs[kept - 1]) == key(config) {
                configs[kept - 1].node = self.union(configs[kept - 1].node, config.node);
            } else {
                configs[kept] = config;
                kept += 1;
            }
        }
        configs.truncate(kept);
        if configs.iter().any(|c| c.count != Count::default()) {
            configs.sort_unstable_by_key(|c| (c.state, c.node, c.register, c.count));
            configs.dedup_by(|next, last| {
                let same = (last.state, last.node, last.register) == (next.state, next.node, next.register);
                let joined = if same { last.count.join(next.count) } else { None };
                joined.inspect(|&count| last.count = count).is_some()
            });
            configs.sort_unstable();
        }
    }

    fn intern_set(&mut self, configs: &[Config], flags: SetFlags) -> SetId {
        let hash = hash_of((configs, flags));
        let (sets, all) = (&self.sets, &self.configs);
        let content = |id: u32| {
            let head = &sets[id as usize];
            (&all[head.from as usize..head.to as usize], head.flags)
        };
        if let Some(&id) = self.set_table.find(hash, |&id| content(id) == (configs, flags)) {
            return SetId(id);
        }
        let id = sets.len() as u32;
        self.set_table.insert_unique(hash, id, |&id| hash_of(content(id)));
        let from = self.configs.len() as u32;
        self.configs.extend_from_slice(configs);
        let to = self.configs.len() as u32;
        self.sets.push(SetHead::new(from, to, flags));
        SetId(id)
    }
}
