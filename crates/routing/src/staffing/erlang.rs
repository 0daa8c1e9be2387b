//! Erlang C: how long whoever arrives waits where so many serve.
//!
//! A. K. Erlang, "Solution of some Problems in the Theory of Probabilities of Significance in
//! Automatic Telephone Exchanges" (1917), for the queue M/M/c; the steps from one agent to the next
//! are Erlang's loss formula as a recursion, as in R. B. Cooper, "Introduction to Queueing Theory"
//! (1981), chapter 3. It holds where arrivals are independent of each other, handling times vary as
//! an exponential law does, and nobody gives up.

/// Agents beyond which nothing is worked out.
const AGENTS_MAX: u32 = 100_000;

/// What comes in an hour, and how long each of it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    pub arrivals_per_h: f64,
    pub handling_s: f64,
}

/// A share of those who arrive is answered within a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// From 0 to 1.
    pub share: f64,
    pub within_s: f64,
}

/// How a number of agents does under a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Service {
    pub agents: u32,
    /// The share that finds nobody free.
    pub waits: f64,
    /// The share that is answered within the time.
    pub in_time: f64,
    pub mean_wait_s: f64,
}

impl Load {
    /// In erlangs: how many would be busy if there were always enough.
    pub fn intensity(self) -> f64 {
        self.arrivals_per_h * self.handling_s / 3_600.0
    }
}

/// The fewest agents who keep the goal.
pub fn agents_needed(load: Load, goal: Goal) -> Service {
    let intensity = load.intensity();
    if intensity <= 0.0 || !intensity.is_finite() {
        return Service { agents: 0, waits: 0.0, in_time: 1.0, mean_wait_s: 0.0 };
    }
    let mut blocked = 1.0;
    let mut last = None;
    for agents in 1..=AGENTS_MAX {
        let count = f64::from(agents);
        blocked = intensity * blocked / (count + intensity * blocked);
        if count <= intensity {
            continue;
        }
        let service = served(load, intensity, (agents, blocked), goal.within_s);
        if service.in_time >= goal.share {
            return service;
        }
        last = Some(service);
    }
    last.unwrap_or(Service { agents: AGENTS_MAX, waits: 1.0, in_time: 0.0, mean_wait_s: f64::MAX })
}

/// How a number of agents does; none if the line would grow for ever.
pub fn service(load: Load, agents: u32, within_s: f64) -> Option<Service> {
    let intensity = load.intensity();
    if f64::from(agents) <= intensity {
        return None;
    }
    let blocked = (1..=agents)
        .fold(1.0, |blocked, count| intensity * blocked / (f64::from(count) + intensity * blocked));
    Some(served(load, intensity, (agents, blocked), within_s))
}

/// `blocked` is the share that would be turned away if nobody could wait.
fn served(load: Load, intensity: f64, (agents, blocked): (u32, f64), within_s: f64) -> Service {
    let count = f64::from(agents);
    let free = count - intensity;
    let waits = count * blocked / (count - intensity * (1.0 - blocked));
    let in_time = 1.0 - waits * (-free * within_s / load.handling_s).exp();
    Service { agents, waits, in_time, mean_wait_s: waits * load.handling_s / free }
}

#[cfg(test)]
mod tests {
    use super::{Goal, Load, agents_needed, service};

    fn load(intensity: f64) -> Load {
        Load { arrivals_per_h: intensity * 20.0, handling_s: 180.0 }
    }

    #[test]
    fn share_that_waits_is_that_of_the_tables() {
        for (intensity, agents, expected) in [
            // One agent: what is busy is the share that waits.
            (0.5, 1, 0.5),
            (0.9, 1, 0.9),
            // By hand from the formula: 1/3 and 4/9.
            (1.0, 2, 1.0 / 3.0),
            (2.0, 3, 4.0 / 9.0),
            // Two hundred calls an hour of three minutes, as tables of call centres print it.
            (10.0, 11, 0.6821),
            (10.0, 12, 0.4494),
            (10.0, 13, 0.2853),
            (10.0, 14, 0.1741),
            (10.0, 15, 0.1020),
        ] {
            let found = service(load(intensity), agents, 20.0).map(|service| service.waits);
            let found = found.unwrap_or_default();
            assert!((found - expected).abs() < 0.000_1, "{intensity} {agents}: {found}");
        }
    }

    #[test]
    fn fourteen_answer_two_hundred_calls_of_three_minutes() {
        let goal = Goal { share: 0.8, within_s: 20.0 };
        let found = agents_needed(load(10.0), goal);
        assert_eq!(found.agents, 14);
        assert!((found.in_time - 0.888).abs() < 0.001, "{found:?}");
        assert!((found.mean_wait_s - 7.8).abs() < 0.1, "{found:?}");
    }

    #[test]
    fn nobody_is_needed_for_nothing_and_one_more_is_never_worse() {
        let goal = Goal { share: 0.8, within_s: 20.0 };
        assert_eq!(agents_needed(load(0.0), goal).agents, 0);
        assert_eq!(service(load(10.0), 10, 20.0), None);
        for agents in 11..60 {
            let few = service(load(10.0), agents, 20.0).unwrap();
            let more = service(load(10.0), agents + 1, 20.0).unwrap();
            assert!(more.in_time >= few.in_time && more.mean_wait_s <= few.mean_wait_s);
        }
    }

    #[test]
    fn large_teams_are_worked_out_without_an_overflow() {
        let goal = Goal { share: 0.8, within_s: 20.0 };
        let found = agents_needed(load(5_000.0), goal);
        assert!(found.agents > 5_000 && found.agents < 5_200, "{found:?}");
    }
}
