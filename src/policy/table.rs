//! From a level to an outcome: the table of the five levels, one column per kind of action.

use crate::domain::action::{Class, Reversibility, Risk};
use crate::domain::decision::{Level, Outcome};

/// The columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// Undone exactly or healing itself, at low risk.
    Easy,
    /// Medium risk, or an undo with side effects.
    Careful {
        /// The undo is exact.
        exact: bool,
    },
    /// High risk, or no undo.
    Grave,
}

const fn column(class: Class) -> Column {
    match (class.undo, class.risk) {
        (Reversibility::None, _) | (_, Risk::High) => Column::Grave,
        (Reversibility::Exact | Reversibility::SelfHealing, Risk::Low) => Column::Easy,
        (Reversibility::Exact, Risk::Medium) => Column::Careful { exact: true },
        (Reversibility::SelfHealing, Risk::Medium)
        | (Reversibility::SideEffects, Risk::Low | Risk::Medium) => Column::Careful { exact: false },
    }
}

/// What an effective level means for an action of this class. `act_from` asks below that level.
pub(super) fn outcome(level: Level, class: Class, act_from: Option<Level>) -> Outcome {
    let outcome = match (level, column(class)) {
        (Level::Observe, _) => Outcome::Notify,
        (Level::OnTheLoop | Level::Supervised | Level::Autonomous, Column::Easy)
        | (Level::Autonomous, Column::Careful { exact: true }) => Outcome::Act,
        (Level::InTheLoop | Level::OnTheLoop | Level::Supervised | Level::Autonomous, _) => Outcome::Ask,
    };
    match (outcome, act_from) {
        (Outcome::Act, Some(from)) if level < from => Outcome::Ask,
        _ => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the documentation, cell by cell: levels 1 to 5 for each class.
    #[test]
    fn every_cell_is_as_documented() {
        use Outcome::{Act, Ask, Notify};
        use Reversibility::{Exact, None, SelfHealing, SideEffects};
        use Risk::{High, Low, Medium};
        let easy = [Notify, Ask, Act, Act, Act];
        let careful = [Notify, Ask, Ask, Ask, Ask];
        let careful_exact = [Notify, Ask, Ask, Ask, Act];
        let rows = [
            (Exact, Low, easy),
            (SelfHealing, Low, easy),
            (SideEffects, Low, careful),
            (None, Low, careful),
            (Exact, Medium, careful_exact),
            (SelfHealing, Medium, careful),
            (SideEffects, Medium, careful),
            (None, Medium, careful),
            (Exact, High, careful),
            (SelfHealing, High, careful),
            (SideEffects, High, careful),
            (None, High, careful),
        ];
        for (undo, risk, expected) in rows {
            let found = Level::ALL.map(|level| outcome(level, Class { undo, risk }, Option::None));
            assert_eq!(found, expected, "{undo:?} {risk:?}");
        }
    }

    #[test]
    fn act_from_asks_below_its_level_and_loosens_nothing() {
        let easy = Class { undo: Reversibility::Exact, risk: Risk::Low };
        let found = Level::ALL.map(|level| outcome(level, easy, Some(Level::Autonomous)));
        assert_eq!(found, [Outcome::Notify, Outcome::Ask, Outcome::Ask, Outcome::Ask, Outcome::Act]);
        let grave = Class { undo: Reversibility::None, risk: Risk::Low };
        assert_eq!(outcome(Level::Autonomous, grave, Some(Level::Observe)), Outcome::Ask);
    }
}
