//! Who is on call by a file: teams with layers, each of which hands over at a time of day in the team's own time zone,
//! across changes of the clock too. At each moment exactly one person of a layer is on call.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// The teams of a file: more than any one belay watches over.
const TEAMS: usize = 100;
/// Layers of a team, and members of a layer: what fits on a screen.
const MOST: usize = 50;
/// Overrides of a team: two years of one a day.
const OVERRIDES: usize = 750;
/// Handoffs that are looked back for: a time zone has skipped one day at most, and never two in a row.
const BACK: u32 = 4;

/// Everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    teams: Vec<Team>,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// The namespaces that it answers for; `*` is every one that no team names.
    pub namespaces: BTreeSet<String>,
    /// Where its handoffs are counted.
    pub zone: TimeZone,
    /// Its layers, the one that is called first at the top.
    pub layers: Vec<Layer>,
    /// Who stands in, and when.
    pub overrides: Vec<Override>,
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Who takes turns, in this order.
    pub members: Vec<String>,
    /// The day of the week on which it hands over; without one, every day.
    pub day: Option<Weekday>,
    /// The time of day at which it does.
    pub time: Time,
    /// The first member's turn begins with the handoff on or after this day.
    pub start: Date,
}

/// Somebody who stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// In this layer.
    pub layer: String,
    /// Who.
    pub member: String,
    /// From here.
    pub from: Timestamp,
    /// Up to here, and not at it.
    pub until: Timestamp,
}

/// One person's stretch on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// The team.
    pub team: String,
    /// The layer.
    pub layer: String,
    /// Who.
    pub member: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when, and not at it.
    pub until: Timestamp,
    /// They stand in for somebody.
    pub stands_in: bool,
}

/// A file cannot be meant so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARoster {
    /// Two go by one name, or one by none.
    #[error("the name `{0}` is empty, longer than 80 characters, or there twice")]
    Name(String),
    /// Too much of something, or nothing of it.
    #[error("{of} has {what}: there must be 1 to {most}")]
    Count {
        /// Whose.
        of: String,
        /// Of what how many.
        what: String,
        /// The most.
        most: usize,
    },
    /// A namespace that two teams answer for.
    #[error("two teams answer for namespace `{0}`: name it in one")]
    Shared(String),
    /// An override that is none.
    #[error("an override of team `{team}` for `{member}` {why}")]
    Override {
        /// The team.
        team: String,
        /// Who.
        member: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl Roster {
    /// The teams, if they can be meant.
    pub fn new(teams: Vec<Team>) -> Result<Self, NotARoster> {
        let count = |of: &str, what: &str, n: usize, most: usize| {
            let wrong = NotARoster::Count { of: of.to_owned(), what: format!("{n} {what}"), most };
            if (1..=most).contains(&n) { Ok(()) } else { Err(wrong) }
        };
        count("the file", "teams", teams.len(), TEAMS)?;
        let mut names = Names::default();
        let mut namespaces = Names::default();
        for team in &teams {
            names.take(&team.name)?;
            let of = format!("team `{}`", team.name);
            count(&of, "layers", team.layers.len(), MOST)?;
            count(&of, "namespaces", team.namespaces.len(), TEAMS * MOST)?;
            for namespace in &team.namespaces {
                namespaces.take(namespace).map_err(|_| NotARoster::Shared(namespace.clone()))?;
            }
            let mut layers = Names::default();
            for layer in &team.layers {
                layers.take(&layer.name)?;
                count(&format!("layer `{}`", layer.name), "members", layer.members.len(), MOST)?;
                layer.members.iter().try_for_each(|member| Names::default().take(member))?;
            }
            overrides(team)?;
        }
        Ok(Self { teams })
    }

    /// The team that answers for a namespace.
    pub fn team(&self, namespace: &str) -> Option<&Team> {
        let of = |name: &str| self.teams.iter().find(|team| team.namespaces.contains(name));
        of(namespace).or_else(|| of("*"))
    }
}

#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn take(&mut self, name: &str) -> Result<(), NotARoster> {
        let fit = (1..=80).contains(&name.trim().chars().count());
        let new = self.0.insert(name.to_owned());
        if fit && new { Ok(()) } else { Err(NotARoster::Name(name.chars().take(80).collect())) }
    }
}

fn overrides(team: &Team) -> Result<(), NotARoster> {
    if team.overrides.len() > OVERRIDES {
        let (of, what) = (format!("team `{}`", team.name), format!("{} overrides", team.overrides.len()));
        return Err(NotARoster::Count { of, what, most: OVERRIDES });
    }
    for (n, this) in team.overrides.iter().enumerate() {
        let wrong =
            |why| Err(NotARoster::Override { team: team.name.clone(), member: this.member.clone(), why });
        Names::default().take(&this.member)?;
        if this.from >= this.until {
            return wrong("ends before it begins");
        }
        if !team.layers.iter().any(|layer| layer.name == this.layer) {
            return wrong("names a layer that there is not");
        }
        let others = team.overrides.iter().skip(n + 1).filter(|other| other.layer == this.layer);
        if others.into_iter().any(|other| other.from < this.until && this.from < other.until) {
            return wrong("overlaps another one of its layer");
        }
    }
    Ok(())
}

/// Who is on call at this moment: one of each layer, the first layer first. Pure.
pub fn on_call(team: &Team, at: Timestamp) -> Vec<Duty> {
    team.layers.iter().filter_map(|layer| duty(team, layer, at)).collect()
}

/// The stretches of one layer from a moment on, until another or until there are `most`.
pub fn duties(team: &Team, layer: &Layer, from: Timestamp, until: Timestamp, most: usize) -> Vec<Duty> {
    let mut all: Vec<Duty> = Vec::new();
    let mut at = from;
    while at < until && all.len() < most {
        let Some(next) = duty(team, layer, at).filter(|next| next.until > at) else { break };
        at = next.until;
        all.push(next);
    }
    all
}

fn duty(team: &Team, layer: &Layer, at: Timestamp) -> Option<Duty> {
    let mut duty = turn(team, layer, at)?;
    for other in team.overrides.iter().filter(|other| other.layer == layer.name) {
        if other.from <= at && at < other.until {
            let (team, layer) = (team.name.clone(), layer.name.clone());
            let (member, from, until) = (other.member.clone(), other.from, other.until);
            return Some(Duty { team, layer, member, from, until, stands_in: true });
        }
        // a turn is cut where somebody stands in
        if other.until <= at {
            duty.from = duty.from.max(other.until);
        } else if other.from > at {
            duty.until = duty.until.min(other.from);
        }
    }
    Some(duty)
}

/// The turn of a rotation, by itself. `None` only at the ends of the calendar.
fn turn(team: &Team, layer: &Layer, at: Timestamp) -> Option<Duty> {
    let today = at.to_zoned(team.zone.clone()).date();
    let every = if layer.day.is_some() { 7 } else { 1 };
    let first = match layer.day {
        Some(day) => on_or_after(layer.start, day)?,
        None => layer.start,
    };
    let days = days_between(first, today);
    let mut number = days.div_euclid(every);
    let handoff = |number: i64| {
        let date = first.checked_add(number.checked_mul(every)?.days()).ok()?;
        // in a gap of the clock it is as much later, in a fold it is the first of the two: as jiff has it, by RFC 5545
        Some(date.to_datetime(layer.time).to_zoned(team.zone.clone()).ok()?.timestamp())
    };
    for _ in 0..BACK {
        if handoff(number)? <= at {
            break;
        }
        number -= 1;
    }
    let members = i64::try_from(layer.members.len()).ok()?;
    let place = usize::try_from(number.checked_rem_euclid(members)?).ok()?;
    Some(Duty {
        team: team.name.clone(),
        layer: layer.name.clone(),
        member: layer.members.get(place)?.clone(),
        from: handoff(number)?,
        until: handoff(number + 1)?,
        stands_in: false,
    })
}

fn on_or_after(date: Date, day: Weekday) -> Option<Date> {
    let wait = i64::from(date.weekday().until(day));
    date.checked_add(wait.days()).ok()
}

fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours().div_euclid(24)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::{date, time};
    use proptest::prelude::*;

    use super::*;

    fn layer(members: &[&str], day: Option<Weekday>, at: Time) -> Layer {
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        Layer { name: "primary".into(), members, day, time: at, start: date(2026, 1, 1) }
    }

    fn team(zone: &str, layer: Layer, overrides: Vec<Override>) -> Team {
        Team {
            name: "shop".into(),
            namespaces: ["shop".to_owned()].into(),
            zone: TimeZone::get(zone).unwrap(),
            layers: vec![layer],
            overrides,
        }
    }

    fn who(team: &Team, at: &str) -> String {
        let [only] = on_call(team, at.parse().unwrap()).try_into().unwrap();
        only.member
    }

    #[test]
    fn a_week_is_handed_over_at_the_time_of_day_whatever_the_clock_does() {
        let team = team(
            "Europe/Berlin",
            layer(&["ada", "bob", "eve"], Some(Weekday::Monday), time(9, 0, 0, 0)),
            vec![],
        );
        // the first Monday on or after the 1st of January 2026 is the 5th
        for (at, expected) in [
            ("2026-01-05T07:59:59Z", "eve"),
            ("2026-01-05T08:00:00Z", "ada"),
            ("2026-01-12T08:00:00Z", "bob"),
            // the clock goes forward on the 29th of March: nine o'clock is an hour earlier
            ("2026-03-30T06:59:59Z", "eve"),
            ("2026-03-30T07:00:00Z", "ada"),
            // and back on the 25th of October
            ("2026-10-26T07:59:59Z", "eve"),
            ("2026-10-26T08:00:00Z", "ada"),
        ] {
            assert_eq!(who(&team, at), expected, "{at}");
        }
    }

    #[test]
    fn a_handoff_that_the_clock_skips_or_repeats_happens_once() {
        // 02:30 is not there on the 29th of March, and is there twice on the 25th of October
        let team = team("Europe/Berlin", layer(&["ada", "bob"], None, time(2, 30, 0, 0)), vec![]);
        let duty = |at: &str| on_call(&team, at.parse().unwrap()).remove(0);
        let spring = duty("2026-03-29T12:00:00Z");
        assert_eq!(spring.from, "2026-03-29T01:30:00Z".parse().unwrap());
        assert_eq!(spring.until, "2026-03-30T00:30:00Z".parse().unwrap());
        let autumn = duty("2026-10-25T12:00:00Z");
        assert_eq!(autumn.from, "2026-10-25T00:30:00Z".parse().unwrap());
        assert_eq!(duty("2026-10-25T01:45:00Z"), autumn);
    }

    #[test]
    fn a_day_that_a_zone_left_out_is_nobody_s() {
        // Samoa went from the 29th to the 31st of December 2011
        let team = team("Pacific/Apia", layer(&["ada", "bob"], None, time(9, 0, 0, 0)), vec![]);
        let all = duties(
            &team,
            &team.layers[0],
            "2011-12-28T00:00:00Z".parse().unwrap(),
            "2012-01-03T00:00:00Z".parse().unwrap(),
            50,
        );
        assert!(all.windows(2).all(|two| two[0].until == two[1].from), "{all:#?}");
    }

    #[test]
    fn somebody_stands_in_and_the_turn_is_cut_around_it() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let instead = Override {
            layer: "primary".into(),
            member: "sam".into(),
            from: at("2026-01-07T00:00:00Z"),
            until: at("2026-01-08T00:00:00Z"),
        };
        let team =
            team("UTC", layer(&["ada", "bob"], Some(Weekday::Monday), time(0, 0, 0, 0)), vec![instead]);
        let all = duties(&team, &team.layers[0], at("2026-01-05T00:00:00Z"), at("2026-01-13T00:00:00Z"), 9);
        let plain: Vec<(&str, bool)> = all.iter().map(|d| (d.member.as_str(), d.stands_in)).collect();
        assert_eq!(plain, [("ada", false), ("sam", true), ("ada", false), ("bob", false)]);
        assert_eq!(all[2].from, at("2026-01-08T00:00:00Z"));
        assert_eq!(all[2].until, at("2026-01-12T00:00:00Z"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let good = team("UTC", layer(&["ada"], None, time(0, 0, 0, 0)), vec![]);
        let roster = Roster::new(vec![good.clone()]).unwrap();
        assert_eq!(roster.team("shop"), Some(&good));
        assert_eq!(roster.team("other"), None);
        let mut every = good.clone();
        (every.name, every.namespaces) = ("rest".into(), ["*".to_owned()].into());
        let roster = Roster::new(vec![good.clone(), every]).unwrap();
        assert_eq!(roster.team("other").unwrap().name, "rest");
        let stands_in = |from: &str, until: &str, layer: &str| Override {
            layer: layer.into(),
            member: "sam".into(),
            from: from.parse().unwrap(),
            until: until.parse().unwrap(),
        };
        let (a, b) = ("2026-01-07T00:00:00Z", "2026-01-08T00:00:00Z");
        for (change, said) in [
            (&(|t: &mut Team| t.layers.clear()) as &dyn Fn(&mut Team), "0 layers"),
            (&|t| t.layers[0].members.clear(), "0 members"),
            (&|t| t.layers[0].members = vec![" ".into()], "name"),
            (&|t| t.layers.push(t.layers[0].clone()), "twice"),
            (&|t| t.namespaces.clear(), "0 namespaces"),
            (&|t| t.overrides = vec![stands_in(b, a, "primary")], "ends before"),
            (&|t| t.overrides = vec![stands_in(a, b, "other")], "layer"),
            (&|t| t.overrides = vec![stands_in(a, b, "primary"), stands_in(a, b, "primary")], "overlaps"),
        ] {
            let mut team = good.clone();
            change(&mut team);
            let why = Roster::new(vec![team]).unwrap_err().to_string();
            assert!(why.contains(said), "{said}: {why}");
        }
        let mut other = good.clone();
        other.name = "other".into();
        assert!(matches!(Roster::new(vec![good, other]), Err(NotARoster::Shared(_))));
        assert!(Roster::new(vec![]).is_err());
    }

    fn zones() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "America/Sao_Paulo",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "Africa/Cairo",
            "Pacific/Apia",
        ])
    }

    proptest! {
        /// At each moment one is on call, within their own stretch, and the stretches follow each other without a gap.
        #[test]
        fn exactly_one_is_on_call_at_each_moment(
            zone in zones(),
            weekly in any::<bool>(),
            (hour, minute) in (0_i8..24, 0_i8..60),
            members in 1_usize..6,
            // from 2008 to 2036, changes of the clock included
            second in 1_200_000_000_i64..2_100_000_000,
            cover in prop::option::of((0_i64..400, 1_i64..400)),
        ) {
            let names: Vec<String> = (0..members).map(|n| format!("m{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let at = Timestamp::from_second(second).unwrap();
            let hours = |n| SignedDuration::from_hours(n);
            let overrides = cover.map(|(after, length)| Override {
                layer: "primary".into(),
                member: "sam".into(),
                from: at + hours(after),
                until: at + hours(after + length),
            });
            let day = weekly.then_some(Weekday::Wednesday);
            let team = team(zone, layer(&names, day, time(hour, minute, 0, 0)), overrides.into_iter().collect());
            let found = on_call(&team, at);
            prop_assert_eq!(found.len(), 1);
            prop_assert!(found[0].from <= at && at < found[0].until);
            let all = duties(&team, &team.layers[0], at, at + hours(24 * 30), 100);
            prop_assert!(all.windows(2).all(|two| two[0].until == two[1].from));
            prop_assert!(all.last().unwrap().until >= at + hours(24 * 30));
            for duty in &all {
                // the same stretch, whichever moment of it is asked about
                for moment in [duty.from, duty.until - SignedDuration::from_secs(1)] {
                    prop_assert_eq!(&on_call(&team, moment)[0], duty);
                }
            }
        }
    }
}
