//! Earned levels: one at a time, after it has proved itself. What a grant has earned, who lifted it, and
//! what takes it back. Pure over its track record.

use jiff::{SignedDuration, Timestamp};

use super::judge::{Cap, Place, place};
use super::set::{Environment, Grant, Override, PolicySet, Standing};
use crate::domain::decision::{Level, Question, Reason};
use crate::domain::ids::GrantId;
use crate::domain::track::{Setback, Track};

/// From level 2 on: how many proven acts each level takes. Ten is what a person remembers having looked at;
/// 35 is the fewest of which all must have helped for the lower bound below to reach 0.9.
const RUNGS: [(Level, u32); 3] = [(Level::OnTheLoop, 10), (Level::Supervised, 20), (Level::Autonomous, 35)];
/// How long a grant stays at each level: four weeks hold a release, a month's end and a handover.
const STAY: SignedDuration = SignedDuration::from_hours(28 * 24);
/// The lower bound of the share of acts that verified, for level 5.
const SURE: f64 = 0.9;
/// The 97.5 % quantile of the standard normal distribution: an interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;
/// Two setbacks as close as this demote.
const SETBACKS_WITHIN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// So many weekly reports that nobody signed cap the grant.
const UNSIGNED_REPORTS: u32 = 2;

/// The lower end of the Wilson score interval: `(p + z²/2n − z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)` with
/// `p = good/all` (E. B. Wilson, 1927). 0 where there is nothing to go by.
fn wilson(good: u32, all: u32) -> f64 {
    if all == 0 {
        return 0.0;
    }
    let n = f64::from(all);
    let p = f64::from(good.min(all)) / n;
    let z2 = Z * Z;
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    (p + z2 / (2.0 * n) - spread) / (1.0 + z2 / n)
}

/// What a track record has earned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// The level.
    pub level: Level,
    /// What the next one takes, or that there is none.
    pub next: Next,
}

/// What stands between a grant and its next level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It has proved itself; a person has to sign the promotion.
    ToBeSigned(Level),
    /// Not yet, and what is missing.
    NotYet(String),
    /// There is no higher level.
    Top,
}

/// The level that a track record has earned at `now`. Each rung takes enough proven acts, its stay at the
/// level below, and a promotion that a person signed after that stay: it is never taken.
pub fn earned(track: Option<&Track>, now: Timestamp) -> Earned {
    let mut level = Level::InTheLoop;
    let stand = |level, next| Earned { level, next };
    let Some((track, mut since)) = track.and_then(|track| Some((track, track.began?))) else {
        return stand(level, Next::NotYet("nothing was done by it here yet".to_owned()));
    };
    for (rung, need) in RUNGS {
        if let Some(missing) = missing(track, rung, need) {
            return stand(level, Next::NotYet(missing));
        }
        let stayed = since.saturating_add(STAY).unwrap_or(Timestamp::MAX);
        let signed = track.promotions.iter().filter(|p| p.level == rung && p.at >= stayed && p.at <= now);
        match signed.map(|p| p.at).min() {
            Some(at) => (level, since) = (rung, at),
            None if now < stayed => {
                let text = format!("it stays at level {} until {stayed}", level.number());
                return stand(level, Next::NotYet(text));
            }
            None => return stand(level, Next::ToBeSigned(rung)),
        }
    }
    stand(level, Next::Top)
}

/// What the acts lack for this rung.
fn missing(track: &Track, rung: Level, need: u32) -> Option<String> {
    let Track { proven, missed, .. } = track;
    if *proven < need {
        return Some(format!("{proven} of {need} acts for level {} are proven", rung.number()));
    }
    let bound = wilson(*proven, proven.saturating_add(*missed));
    (rung == Level::Autonomous && bound < SURE).then(|| {
        format!("level 5 takes a lower bound of {SURE} of acts that verify; {proven} proven and {missed} missed give {bound:.3}")
    })
}

/// Why a grant is demoted until a person resets it, if it is.
pub fn demoted(track: &Track) -> Option<String> {
    if let Some((at, _)) = track.setbacks.iter().find(|(_, what)| *what == Setback::Harmful) {
        return Some(format!("an act of it was judged harmful at {at}"));
    }
    let close = |pair: &[(Timestamp, Setback)]| match pair {
        [(first, _), (second, _)] => second.duration_since(*first).abs() <= SETBACKS_WITHIN,
        _ => false,
    };
    track.setbacks.windows(2).find(|pair| close(pair)).and_then(|pair| pair.last()).map(|(at, _)| {
        format!("two of its acts were put back or judged false positives within 30 days, the second at {at}")
    })
}

/// What lowers this grant because of what became of its acts.
pub(super) fn caps(grant: &Grant, place: &Place<'_>, question: &Question) -> Vec<Cap> {
    let track = question.history.tracks.get(&grant.id);
    let mut caps = Vec::new();
    if let Place::In(environment) = place
        && environment.strict
    {
        caps.push(standing(grant, environment, track, question.now));
        if let Some(n) = track.map(|t| t.unsigned_reports).filter(|n| *n >= UNSIGNED_REPORTS) {
            let text = format!("{n} weekly reports about grant `{}` are not signed", grant.id);
            caps.push(cap("unsigned-reports", Level::InTheLoop, text));
        }
    }
    if let Some(why) = track.and_then(demoted) {
        let text = format!("grant `{}` is demoted until a person resets it: {why}", grant.id);
        caps.push(cap("demoted", Level::InTheLoop, text));
    }
    caps
}

fn standing(grant: &Grant, environment: &Environment, track: Option<&Track>, now: Timestamp) -> Cap {
    let Earned { level, next } = earned(track, now);
    let name = &environment.name;
    let next = match next {
        Next::ToBeSigned(rung) => {
            format!("; for level {} a person has to sign its promotion", rung.number())
        }
        Next::NotYet(missing) => format!("; {missing}"),
        Next::Top => String::new(),
    };
    let own =
        format!("grant `{}` has earned level {} in environment `{name}`{next}", grant.id, level.number());
    match grant.lifted.as_ref().filter(|lifted| lifted.standing(now) == Standing::InForce) {
        Some(Override { level: to, by, reason, until }) if *to > level => {
            let text = format!("{by} lifted it to level {} until {until} ({reason}); {own}", to.number());
            cap(OVERRIDE, *to, text)
        }
        Some(_) | None => cap("earned", level, own),
    }
}

/// The code of a cap that a person lifted. It is told even where it lowers nothing.
pub(super) const OVERRIDE: &str = "override";

fn cap(code: &str, level: Level, text: String) -> Cap {
    Cap { level, reason: Reason { code: code.to_owned(), text } }
}

/// The environment that the question's target is in: where its track records are kept.
pub fn environment(set: &PolicySet, question: &Question) -> Option<String> {
    match place(set, question) {
        Place::In(environment) => Some(environment.name.clone()),
        Place::Nowhere | Place::Several(_) | Place::Unknown(_) => None,
    }
}

/// The grants that could carry the question's action: those whose track records it needs.
pub fn track_grants(set: &PolicySet, question: &Question) -> Vec<GrantId> {
    let alertname = question.alert.labels.get("alertname").map_or("", String::as_str);
    let candidates = set.index.candidates(question.action.kind(), alertname);
    let mut grants: Vec<GrantId> =
        candidates.filter_map(|i| set.grants.get(i)).map(|grant| grant.id.clone()).collect();
    grants.extend(question.undoes.clone());
    grants.sort();
    grants.dedup();
    grants
}

/// The ids of all grants, and the names of the environments in which their levels are earned.
pub fn earning(set: &PolicySet) -> (Vec<GrantId>, Vec<String>) {
    let strict = set.environments.iter().filter(|environment| environment.strict);
    let environments = strict.map(|environment| environment.name.clone()).collect();
    (set.grants.iter().map(|grant| grant.id.clone()).collect(), environments)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decide::decide;
    use super::super::tried::{asked, check, decided, lenient, lift, strict};
    use super::*;
    use crate::domain::decision::Outcome::{Act, Ask};
    use crate::domain::decision::Person;
    use crate::domain::track::Promotion;

    /// Published values of the interval for z = 1.96, to three digits.
    #[test]
    fn the_interval_is_wilsons() {
        for (good, all, bound) in [
            (0, 0, 0.0),
            (0, 10, 0.0),
            (8, 10, 0.490),
            (10, 10, 0.722),
            (35, 35, 0.901),
            (34, 35, 0.855),
            (81, 263, 0.255),
        ] {
            assert!((wilson(good, all) - bound).abs() < 0.0006, "{good} of {all}: {}", wilson(good, all));
        }
    }

    type Track = &'static [(&'static str, &'static str)];

    /// What a record has earned, and what changes when one thing is missing.
    #[test]
    fn every_rung_takes_acts_and_weeks_and_a_signature() {
        let cases: [(Track, u8); 19] = [
            (&[], 2),
            (&[("proven", "10"), ("level", "3")], 3),
            (&[("proven", "9"), ("level", "3")], 2),
            (&[("proven", "99"), ("level", "2"), ("days", "999")], 2),
            (&[("proven", "20"), ("level", "4")], 4),
            (&[("proven", "19"), ("level", "4")], 3),
            (&[("proven", "35"), ("level", "4"), ("days", "999")], 4),
            (&[("proven", "35"), ("level", "5")], 5),
            (&[("proven", "34"), ("level", "5")], 4),
            (&[("proven", "35"), ("missed", "1"), ("level", "5")], 4),
            (&[("proven", "60"), ("missed", "1"), ("level", "5")], 5),
            (&[("proven", "20"), ("missed", "50"), ("level", "4")], 4),
            (&[("proven", "99"), ("level", "5"), ("unsigned_reports", "1")], 5),
            (&[("proven", "99"), ("level", "5"), ("unsigned_reports", "2")], 2),
            (&[("proven", "99"), ("level", "5"), ("put_back", "1")], 5),
            (&[("proven", "99"), ("level", "5"), ("put_back", "2")], 2),
            (&[("proven", "99"), ("level", "5"), ("harmful", "1")], 2),
            (&[("proven", "10"), ("level", "3"), ("last_day", "99")], 3),
            (&[("proven", "0"), ("level", "5")], 2),
        ];
        let set = strict();
        for (track, level) in cases {
            let keys: Vec<String> = track.iter().map(|(key, _)| format!("history.track.{key}")).collect();
            let changes: Vec<(&str, &str)> =
                keys.iter().zip(track).map(|(key, (_, value))| (key.as_str(), *value)).collect();
            assert_eq!(decided(&set, &changes).level.unwrap().number(), level, "{track:?}");
        }
    }

    const EARNED_3: Track = &[("history.track.proven", "10"), ("history.track.level", "3")];

    #[test]
    fn where_the_ladder_is_off_nothing_has_to_be_earned_and_harm_still_counts() {
        check(&lenient(), &[], Act, 4, "grant/restart");
        check(&lenient(), &[("history.track.unsigned_reports", "9")], Act, 4, "grant/restart");
        check(&lenient(), &[("history.track.harmful", "1")], Ask, 2, "demoted");
        check(&strict(), &[], Ask, 2, "earned");
        check(&strict(), EARNED_3, Act, 3, "earned");
    }

    #[test]
    fn a_promotion_that_was_signed_too_early_counts_for_nothing() {
        let set = strict();
        let mut question = asked(&set, EARNED_3);
        let track = question.history.tracks.values_mut().next().unwrap();
        track.promotions[0].at -= SignedDuration::from_secs(1);
        assert_eq!(decide(&set, &question).level, Some(Level::InTheLoop));
        // and does not stand in the way of one that was signed in time
        let by = Person::Operator { name: "kim".to_owned() };
        let track = question.history.tracks.values_mut().next().unwrap();
        let at = track.promotions[0].at + SignedDuration::from_hours(1);
        track.promotions.push(Promotion { at, level: Level::OnTheLoop, by });
        question.now += SignedDuration::from_hours(1);
        assert_eq!(decide(&set, &question).level, Some(Level::OnTheLoop));
    }

    #[test]
    fn setbacks_far_apart_do_not_demote() {
        let at = |days: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days);
        let track = |days: &[i64]| super::Track {
            setbacks: days.iter().map(|d| (at(*d), Setback::FalsePositive)).collect(),
            ..super::Track::default()
        };
        assert_eq!(demoted(&track(&[0])), None);
        assert_eq!(demoted(&track(&[0, 31])), None);
        assert!(demoted(&track(&[0, 30])).is_some());
        assert!(demoted(&track(&[0, 31, 40, 90])).is_some(), "until a person resets it");
    }

    #[test]
    fn an_override_lifts_what_was_earned_and_is_always_told() {
        let mut set = strict();
        lift(&mut set, Level::Supervised, 24);
        check(&set, &[], Act, 4, "override");
        // it is told where it lowers nothing, too
        set.grants[0].level = Level::Supervised;
        let told = decided(&set, &[]);
        let reason = told.reasons.iter().find(|reason| reason.code == "override").unwrap();
        assert!(reason.text.contains("Kim") && reason.text.contains("a launch"), "{}", reason.text);
        // never what people took back
        check(&set, &[("history.track.harmful", "1")], Ask, 2, "demoted");
        check(&set, &[("history.track.unsigned_reports", "2")], Ask, 2, "unsigned-reports");
        lift(&mut set, Level::OnTheLoop, 24);
        assert_eq!(decided(&set, &[]).level, Some(Level::OnTheLoop));
        // further than thirty days ahead it is none
        lift(&mut set, Level::Supervised, 30 * 24 + 1);
        check(&set, &[], Ask, 2, "earned");
    }

    #[test]
    fn what_stands_between_is_told() {
        let began = Timestamp::UNIX_EPOCH;
        let track = |proven| super::Track { began: Some(began), proven, ..super::Track::default() };
        let next = |proven, now| earned(Some(&track(proven)), now).next;
        let moment = SignedDuration::from_secs(1);
        assert_eq!(next(10, began + STAY), Next::ToBeSigned(Level::OnTheLoop));
        for now in [began, began + STAY - moment] {
            assert_eq!(
                next(10, now),
                Next::NotYet("it stays at level 2 until 1970-01-29T00:00:00Z".to_owned())
            );
        }
        assert_eq!(next(9, began + STAY), Next::NotYet("9 of 10 acts for level 3 are proven".to_owned()));
    }

    #[test]
    fn an_override_that_lifts_nothing_is_none() {
        let mut set = strict();
        for level in [Level::InTheLoop, Level::OnTheLoop] {
            lift(&mut set, level, 24);
            check(&set, EARNED_3, Act, 3, "earned");
        }
    }

    #[test]
    fn where_levels_are_earned_and_whose() {
        let (set, question) = (strict(), asked(&strict(), &[]));
        assert_eq!(environment(&set, &question).as_deref(), Some("shop"));
        let elsewhere = asked(&set, &[("target.namespace", "other")]);
        assert_eq!(environment(&set, &elsewhere), None);
        let grants = vec![GrantId::new("restart")];
        assert_eq!(earning(&set), (grants.clone(), vec!["shop".to_owned()]));
        assert_eq!(earning(&lenient()), (grants, vec![]));
    }

    proptest! {
        #[test]
        fn prop_an_override_never_outlives_its_end(hours in 1i64..=720, after in 0i64..100_000) {
            let mut set = strict();
            lift(&mut set, Level::Autonomous, hours);
            let mut question = asked(&set, &[]);
            question.now += SignedDuration::from_hours(hours) + SignedDuration::from_secs(after);
            question.plan = None;
            prop_assert_eq!(decide(&set, &question).level, Some(Level::InTheLoop));
        }

        /// More proof never lowers, more misses and setbacks never raise, and without a signature nothing
        /// rises at all.
        #[test]
        fn prop_a_level_is_never_taken(proven in 0u32..100, missed in 0u32..100, signed in 2u8..=5, days in 0u32..200) {
            let set = strict();
            let level = |proven: u32, missed: u32, signed: u8| {
                let (proven, missed, signed) = (proven.to_string(), missed.to_string(), signed.to_string());
                let days = days.to_string();
                let track = [
                    ("history.track.proven", proven.as_str()),
                    ("history.track.missed", missed.as_str()),
                    ("history.track.level", signed.as_str()),
                    ("history.track.days", days.as_str()),
                ];
                decided(&set, &track).level.unwrap().number()
            };
            let own = level(proven, missed, signed);
            prop_assert!(own <= signed);
            prop_assert!(level(proven + 1, missed, signed) >= own);
            prop_assert!(level(proven, missed + 1, signed) <= own);
            prop_assert_eq!(level(proven, missed, 2), 2);
        }
    }
}
