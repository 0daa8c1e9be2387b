//! Sets of skills, each held once and named by a number, and which of them fits which.

use std::collections::BTreeMap;

/// A set of required skills with the lowest levels that will do.
pub(crate) type NeedIx = usize;
/// A set of skills that an agent has, with levels.
pub(crate) type ProfileIx = usize;

pub(crate) type SkillSet = BTreeMap<String, u8>;

/// There are few distinct sets, so that conversations and agents can be kept apart by them.
#[derive(Debug, Default)]
pub(crate) struct Skills {
    needs: Vec<SkillSet>,
    need_ix: BTreeMap<SkillSet, NeedIx>,
    profiles: Vec<SkillSet>,
    profile_ix: BTreeMap<SkillSet, ProfileIx>,
    /// `fits[need][profile]`
    fits: Vec<Vec<bool>>,
}

impl Skills {
    pub(crate) fn need(&mut self, skills: &SkillSet) -> NeedIx {
        if let Some(ix) = self.need_ix.get(skills) {
            return *ix;
        }
        let row = self.profiles.iter().map(|profile| fits(skills, profile)).collect();
        self.fits.push(row);
        self.needs.push(skills.clone());
        self.need_ix.insert(skills.clone(), self.needs.len() - 1);
        self.needs.len() - 1
    }

    /// The skills that are needed and those that would be better; none if that is the same.
    pub(crate) fn want(&mut self, needed: &SkillSet, preferred: &SkillSet) -> Option<NeedIx> {
        if preferred.is_empty() {
            return None;
        }
        let mut all = needed.clone();
        for (skill, level) in preferred {
            let known = all.entry(skill.clone()).or_insert(0);
            *known = (*known).max(*level);
        }
        (all != *needed).then(|| self.need(&all))
    }

    pub(crate) fn profile(&mut self, skills: &SkillSet) -> ProfileIx {
        if let Some(ix) = self.profile_ix.get(skills) {
            return *ix;
        }
        for (need, row) in self.needs.iter().zip(&mut self.fits) {
            row.push(fits(need, skills));
        }
        self.profiles.push(skills.clone());
        self.profile_ix.insert(skills.clone(), self.profiles.len() - 1);
        self.profiles.len() - 1
    }

    pub(crate) fn fits(&self, need: NeedIx, profile: ProfileIx) -> bool {
        self.fits.get(need).and_then(|row| row.get(profile)).copied().unwrap_or(false)
    }

    pub(crate) fn needed(&self, need: NeedIx) -> Option<&SkillSet> {
        self.needs.get(need)
    }

    /// The first skill of the need that the profile lacks: its name, the level needed, the level had.
    pub(crate) fn lacking(&self, need: NeedIx, profile: ProfileIx) -> Option<(String, u8, u8)> {
        let (need, profile) = (self.needs.get(need)?, self.profiles.get(profile)?);
        need.iter().find_map(|(skill, level)| {
            let has = profile.get(skill).copied().unwrap_or(0);
            (has < *level).then(|| (skill.clone(), *level, has))
        })
    }
}

/// Whether someone with `profile` may take what has `need`.
pub(crate) fn fits(need: &SkillSet, profile: &SkillSet) -> bool {
    need.iter().all(|(skill, level)| profile.get(skill).copied().unwrap_or(0) >= *level)
}
