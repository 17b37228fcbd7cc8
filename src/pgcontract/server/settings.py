"""The settings of the servers that this project makes: the same on every major version and every build."""

from __future__ import annotations

# What an answer, a plan or a measurement depends on is pinned; what only protects against losing power is off, because
# nothing here outlives its run. synchronous_commit stays on: without fsync it costs nothing, and switched off it leaves
# freshly loaded pages not all-visible, which turns index-only scans into others.
_COMMON = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "100",
    "superuser_reserved_connections": "3",
    # mutants and large schemas lock many relations in one transaction
    "max_locks_per_transaction": "256",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    # 2 GB would double the time that a clone takes: its checkpoints walk all buffers
    "shared_buffers": "16MB",
    "huge_pages": "off",
    # inside the data folder, so that nothing is left behind in /dev/shm and its size does not matter
    "dynamic_shared_memory_type": "mmap",
    # segments are neither kept nor filled ahead: what is stored and copied at the next start stays small
    "wal_recycle": "off",
    "wal_init_zero": "off",
    "min_wal_size": "2MB",
    # memory, mostly: 560 MB of WAL took no longer than with 512MB, of which all was filled
    "max_wal_size": "128MB",
    "checkpoint_timeout": "1h",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    # nothing runs but what a test asked for
    "autovacuum": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "iso, mdy",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.english",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.save": "off",
    # Rejected rows are this project's daily work: one line for each would fill memory and cost time. LOG and above
    # (start, stop, crash, FATAL) stay.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}

# What a server has in production and a test's has not: a commit that was answered outlives the machine's loss of power,
# and what is written is tidied up meanwhile. For measurements of load, whose times would flatter without.
DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    # its data is in memory, where no page costs more than another
    "random_page_cost": "1.1",
    "wal_recycle": "on",
    "wal_init_zero": "on",
    # INITDB's segments are small: without these the next one would be made, and flushed, many times a second while all
    # commits wait, and buffers would be no larger than one
    "min_wal_size": "1GB",
    "max_wal_size": "2GB",
    "wal_buffers": "16MB",
    "checkpoint_timeout": "5min",
    "autovacuum": "on",
}

# setting -> first major version that knows it
_SINCE = {
    # three fewer processes to start; the data is in the operating system's memory anyway
    "io_method": (18, "sync"),
}

# One locale for all: libc's C.UTF-8. It sorts by code point, knows upper and lower case beyond ASCII (lower('É') is
# 'é'), is in every glibc since 2.35 and in Debian's and Red Hat's before, and was seen to answer alike on 15 to 18, in
# npm's builds and Debian's. The builtin provider has the same rules but exists from 17 only, and counts as collation C,
# for which LIKE 'x%' may use an ordinary index: plans would differ between majors, and from most users' databases.
LOCALE = ("--locale=C.UTF-8",)
# Where libc has no such name (macOS before 15): the same order from C, the same cases from en_US.
FALLBACK_LOCALE = ("--locale=C", "--lc-ctype=en_US.UTF-8")

SUPERUSER = "postgres"  # what dumps and migrations that name an owner expect

INITDB = (
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    "--auth=trust",
    "--data-checksums",
    "--wal-segsize=1",
    "--text-search-config=pg_catalog.english",
    "--no-sync",
    "--no-instructions",
    "--lc-messages=C",
)


def configuration(major: int) -> str:
    """Give the text of postgresql.conf for a major version."""
    chosen = _COMMON | {name: value for name, (since, value) in _SINCE.items() if major >= since}
    return "".join(f"{name} = '{value}'\n" for name, value in chosen.items())
