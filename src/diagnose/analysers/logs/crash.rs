//! Why a program ended, by its own last lines: what is not the configuration's or another service's fault.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[
    Sign {
        word: CauseWord::MemoryLimitTooLow,
        says: "the memory that the runtime may use is full, too small or leaking",
        place: Where::Anywhere,
        least: 1,
        patterns: &[
            // the JVM, with and without the exception's frame
            r"^(?:Exception in thread .*|Caused by: |Terminating due to )?java\.lang\.OutOfMemoryError: ",
            // Go
            r"^fatal error: runtime: (?:out of memory|cannot allocate memory)",
            r"^runtime: out of memory: cannot allocate ",
            // V8
            r"^FATAL ERROR: .*(?:JavaScript heap out of memory|Allocation failed)",
            // CPython, Rust, .NET, libstdc++
            r"^MemoryError\b",
            r"^memory allocation of \d+ bytes failed",
            r"^Unhandled exception\. System\.OutOfMemoryException",
            r"terminate called after throwing an instance of 'std::bad_alloc'",
        ],
    },
    Sign {
        word: CauseWord::CrashLoop,
        says: "its port is in use",
        place: Where::AtTheEnd,
        least: 1,
        patterns: &[
            // Go, Node.js, CPython, the JVM, nginx, Rust
            r"\blisten \w+ \S*:\d+: bind: address already in use",
            r"^Error: listen EADDRINUSE: address already in use",
            r"^OSError: \[Errno 98\] ",
            r"java\.net\.BindException: Address already in use",
            r"bind\(\) to \S+ failed \(98: ",
            r"kind: AddrInUse, message: ",
        ],
    },
    Sign {
        word: CauseWord::CrashLoop,
        says: "it may not read, write or run something",
        place: Where::AtTheEnd,
        least: 1,
        patterns: &[
            // C libraries and shells, Go, Node.js, CPython
            r": [Pp]ermission denied$",
            r"^Error: EACCES: permission denied, ",
            r"^PermissionError: \[Errno 13\] ",
            r"java\.nio\.file\.AccessDeniedException: ",
            r"(?i): read-only file system$",
        ],
    },
    Sign {
        word: CauseWord::CrashLoop,
        says: "a file, program or library is missing, or is for another machine",
        place: Where::AtTheEnd,
        least: 1,
        patterns: &[
            // Go, Node.js, CPython, the JVM
            r"\b(?:open|stat|exec) \S+: no such file or directory$",
            r"^Error: ENOENT: no such file or directory, ",
            r"^FileNotFoundError: \[Errno 2\] ",
            r"java\.(?:io\.FileNotFoundException|nio\.file\.NoSuchFileException): ",
            // the kernel through a shell or the runtime, the dynamic loader, module loaders
            r"exec(?:user process caused)?:? .*exec format error",
            r": error while loading shared libraries: ",
            r"executable file not found in \$PATH",
            r"^Error: Cannot find module '",
            r"^ModuleNotFoundError: No module named '",
        ],
    },
    Sign {
        word: CauseWord::CrashLoop,
        says: "the program panics or has an exception that it does not catch",
        place: Where::AtTheEnd,
        least: 1,
        patterns: &[
            // Go, Rust
            r"^panic: ",
            r"^fatal error: (?:all goroutines are asleep|concurrent map|stack overflow)",
            r"^thread '[^']*' (?:\(\d+\) )?panicked at ",
            // CPython, the JVM, Node.js, .NET
            r"^Traceback \(most recent call last\):",
            r"^Exception in thread \x22",
            r"^(?:Uncaught|\[?UnhandledPromiseRejection)",
            r"^Unhandled exception\. ",
            // a signal, by the shell or the runtime
            r"^(?:\[signal SIGSEGV|SIGSEGV: segmentation violation|Segmentation fault)",
        ],
    },
];
