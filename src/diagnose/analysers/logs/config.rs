//! A program refuses its configuration, its flags or its environment, and ends.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[Sign {
    word: CauseWord::BadConfig,
    says: "the program refuses its configuration",
    place: Where::AtTheEnd,
    least: 1,
    patterns: &[
        // nginx
        r"^nginx: \[emerg\] ",
        r"^nginx: configuration file .* test failed",
        r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[emerg\] \d+#\d+: ",
        // HAProxy
        r"^\[ALERT\].*(?:config : parsing|Fatal errors found in configuration)",
        // Envoy
        r"^error initializing configuration '",
        // Spring Boot
        r"^APPLICATION FAILED TO START",
        r"Could not resolve placeholder '[^']+' in value",
        r"^Failed to bind properties under '",
        // Go and Rust programs, by what they usually say; Go's yaml
        r"(?i)^(?:fatal: |error: )?(?:failed|error|unable|could not|cannot)(?: to)? (?:load|loading|read|reading|parse|parsing|validate|validating)(?: the)? (?:config|configuration)\b",
        r"(?i)^(?:invalid|bad|malformed) (?:config|configuration)\b",
        r"^(?:[ -~]{0,80}: )?yaml: (?:unmarshal errors:|line \d+: )",
        // kelseyhightower/envconfig, Rust's std::env
        r"^(?:[ -~]{0,60}: )?required key [A-Z0-9_]+ missing value",
        r"^(?:[ -~]{0,60}: )?environment variable not found",
        r"(?i)^missing (?:required )?(?:environment variable|configuration|setting)s?\b",
        // flags: Go's flag and cobra, clap, argparse
        r"^flag provided but not defined: -",
        r"^(?:Error: )?unknown (?:flag|shorthand flag): ",
        r"^error: (?:unexpected argument|invalid value) '",
        r"error: (?:unrecognized arguments|argument \S+: invalid ): ?",
        // Python: pydantic's settings, Django, a missing variable
        r"^pydantic(?:_core\._pydantic_core|_settings\.sources)?\.(?:ValidationError|SettingsError): ",
        r"^django\.core\.exceptions\.ImproperlyConfigured: ",
        r"^KeyError: '[A-Z][A-Z0-9_]{2,}'$",
        // Prometheus, PostgreSQL, Redis, MySQL
        r"Error loading config \(--config\.file=",
        r"^configuration file .* contains errors",
        r"^unrecognized configuration parameter \x22",
        r"^\*\*\* FATAL CONFIG FILE ERROR",
        r"unknown variable '[^']+=",
    ],
}];
