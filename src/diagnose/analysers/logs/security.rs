//! Signs of an intrusion. What merely shows that somebody tries (an odd path, a wrong password) is none: anybody can
//! have that logged. These are what an intruder's own programs write, or a program that says that it was attacked.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[Sign {
    word: CauseWord::SecuritySignal,
    says: "it looks like an intrusion",
    place: Where::Anywhere,
    least: 1,
    patterns: &[
        // XMRig and its kin, which intruders run
        r"^(?:\* )?POOL #\d+\s+\S+:\d+ ",
        r"^(?:net\s+)?(?:use pool \S+:\d+|new job from \S+:\d+ diff \d+)",
        r"^(?:cpu\s+)?accepted \(\d+/\d+\) diff \d+ ",
        r"^(?:[ -~]{0,40}\s)?stratum\+(?:tcp|ssl)://",
        // ClamAV's daemon
        r"^\S+: \S+(?:\(\w+:\d+\))? FOUND$",
        // Falco, by its default output
        r"^(?:Critical|Alert|Emergency) .*\(.*\bcontainer_id=",
        // Redis, of clients that speak HTTP to it
        r"^(?:# )?Possible SECURITY ATTACK detected\. It looks like somebody is sending POST or Host: commands",
        // OpenSSH, where a container has no business to run it
        r"^Accepted (?:password|publickey) for root from ",
        // what is left behind by those who empty databases
        r"^(?:[ -~]{0,40}\s)?(?:READ_ME_TO_RECOVER_YOUR_DATA|README_TO_RECOVER)",
    ],
}];
