//! Stored data is damaged, by the words of the program that stores it. Each is bound to the beginning of its message:
//! where what a client sent is echoed further on in a line, it means nothing.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[Sign {
    word: CauseWord::DataCorruption,
    says: "stored data is damaged",
    place: Where::Anywhere,
    // no program that says so once may be restarted into it
    least: 1,
    patterns: &[
        // PostgreSQL
        r"^(?:(?:ERROR|FATAL|PANIC|WARNING):\s+)?invalid page in block \d+ of relation ",
        r"^(?:(?:ERROR|FATAL|PANIC):\s+)?could not read block \d+ in file \x22",
        r"^(?:PANIC:\s+)?could not locate a valid checkpoint record",
        r"^(?:(?:ERROR|WARNING):\s+)?page verification failed, calculated checksum \d+ but expected \d+",
        // MySQL's InnoDB
        r"^(?:InnoDB: )?Database page corruption on disk or a failed",
        r"^InnoDB: (?:Checksum mismatch in|Corrupted page|Page \[page id: .*\] (?:log sequence number|is corrupt))",
        // SQLite, and its drivers
        r"^(?:[ -~]{0,60}(?:Error|error)(?: \(\d+\))?: )?database disk image is malformed",
        // RocksDB, LevelDB, sled
        r"^(?:[ -~]{0,40}(?:Error|error): )?Corruption: (?:block checksum mismatch|bad (?:block|entry|record)|truncated|corrupted)",
        // etcd, bbolt
        r"^(?:panic: )?(?:found data inconsistency with peers|wal: crc mismatch|walpb: crc mismatch|freepages: failed)",
        // Elasticsearch's and Solr's Lucene
        r"^(?:Caused by: )?org\.apache\.lucene\.index\.CorruptIndexException: ",
        // Kafka
        r"^(?:Caused by: )?org\.apache\.kafka\.common\.errors\.CorruptRecordException: ",
        // MongoDB's WiredTiger
        r"^(?:[ -~]{0,60}: )?WT_PANIC: |^(?:[ -~]{0,80}: )?read checksum error for \d+B block at offset",
        // Redis
        r"^(?:# )?(?:Bad file format reading the append only file|Wrong signature trying to load DB from file|Short read or OOM loading DB|RDB CRC error)",
        // Prometheus
        r"^(?:[ -~]{0,60}err=)?(?:\x22)?corruption in segment /",
        // the kernel's file systems, where a container logs them
        r"^(?:EXT4-fs error|XFS \([^)]*\): Metadata corruption detected|BTRFS (?:error|critical).* csum failed)",
    ],
}];
