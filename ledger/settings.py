"""Limits and settings: every number that bounds the ledger, with its unit and the reason for it.

Invariants: a limit is a constant here and nowhere else; what an operator may change is a field of `Settings`, read from LEDGER_* variables.
Units stand last in the names: `_s` seconds, `_bytes`, `_max` a count."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

# fmt: off
# --- what one event may hold -------------------------------------------------------------------------------------------------------
WORD_BYTES_MAX = 512  # bytes of UTF-8; names and ids: they are indexed, and a btree entry (2,704 bytes) holds five of them
TEXT_LENGTH_MAX = 16_384  # characters; notes and messages: prose, not attachments
JSON_DEPTH_MAX = 32  # levels; deeper documents are attacks, not details
MESSAGES_MAX = 100  # messages on one event; a longer list belongs in the job's items
COUNT_MAX = 2**53 - 1  # the largest integer that every JSON reader keeps exactly
EVENT_BYTES_MAX = 256 * 1024  # bytes of one stored body: thousands of them must fit one batch

# --- what one request may ask ------------------------------------------------------------------------------------------------------
BODY_BYTES_MAX = 8 * 1024 * 1024  # bytes of one request body, counted on the stream
BODY_BYTES_QUICK = 1024 * 1024  # bytes of a body that is read on the event loop, which takes some ms; larger ones are read beside it
BARE_EVENTS_KEPT_MAX = 64  # bodies that are an event's name whose reading is kept: more than there are events, however they are written
BATCH_COMMANDS_MAX = 1_000  # commands in one all-or-nothing request: one commit must stay short, since it holds the head row
RESOLVE_ATTEMPTS_MAX = 8  # times the jobs that a write names are found anew because others changed them in between
LANES_MAX = 8  # writes of one request that stand for themselves and are under way at once: others need the pool too
LINEAGE_EVENT_LENGTH_MAX = 1024 * 1024  # characters of one OpenLineage event: it becomes up to 65 notes in one commit
LINEAGE_DETAIL_BYTES_MAX = 32 * 1024  # bytes of an OpenLineage event that are kept in its job's detail, which lists show; larger ones are notes
PAGE_LIMIT_DEFAULT = 50  # jobs on a page when the caller names no number
PAGE_LIMIT_MAX = 1_000  # jobs on a page: bounds the memory of one answer
FEED_LIMIT_DEFAULT = 100  # events on a page of the feed
FEED_LIMIT_MAX = 5_000  # events on a page of the feed
URL_LENGTH_MAX = 16_384  # bytes of path and query; longer ones are refused before they are parsed
HEAD_BYTES_MAX = 65_536  # bytes of a request's head, counted while it arrives: four such addresses

# --- how much at once --------------------------------------------------------------------------------------------------------------
CONNECTIONS_MAX = 1_000  # HTTP connections that one process serves; on later ones each request is answered 503
CONNECTIONS_HELD_MAX = 2_000  # connections that are open at all; later ones are closed unheard, before they use up the open files
GARBAGE_NEW_MAX = 10_000  # objects made between two looks for garbage that holds itself: some MiB, and fourteen times fewer looks than Python's own
FILES_BESIDE_CONNECTIONS = 256  # open files that a process needs for itself: database connections, logs, modules
REQUESTS_MAX = 128  # requests at work in one process: at a thousand answers a second the last of them takes an eighth of one
PROJECT_REQUESTS_MAX = 96  # of them, those of one project: a quarter is always left for the others
REQUESTS_WAITING_MAX = 256  # requests that wait for a place, all projects together: at a thousand answers a second a quarter of one
TURN_S_MAX = 0.5  # how long one may wait for a place: later than that its client would rather be told to come back
REFUSALS_PER_S_MAX = 1_000  # refusals at a request's head that one process says in a second (60 us each): of more, the lines wait to be read again
UNREAD_S_MIN = 0.05  # a shorter wait than this is not worth its timer
UNREAD_S_MAX = 1.0  # how long such a line may wait: no longer than its client was told to, since others may share it behind a proxy
BRIEF_KEPT_MAX = 1_024  # wordings of refusals that are kept (about a KiB each): one for each host name, and each method of GoGrid's
KEY_REQUESTS_PER_S_MAX = 10_000  # requests of one key in a second: only what runs away meets it; set it lower where you hand out keys
BODIES_BYTES_MAX = 64 * 1024 * 1024  # bytes of all bodies under way in one process, unpacked: bounds memory whatever is sent at once
HEAD_S = 10.0  # how long the head of a request may take to arrive
BODY_S = 30.0  # how long its body may take: the largest at 2.2 Mbit/s
ANSWER_S = 30.0  # how long a client may leave an answer unread that is larger than the buffers
KEEP_ALIVE_S = 20.0  # how long a connection may be idle: pollers that come each few seconds keep theirs
LINE_LOOK_S = 1.0  # how often each connection is looked at for these times
SHUTDOWN_S = 30.0  # how long a stopping server waits for the requests it is answering: as long as a question may take

# --- the committer -----------------------------------------------------------------------------------------------------------------
COMMIT_UNITS_MAX = 512  # writes in one commit: past that the commit is no cheaper per write
COMMIT_TOGETHER_MIN = 8  # writes that are decided before a commit sets out with them, should it take no time at all
COMMIT_EVENTS_MAX = 5_000  # events in one commit, so that nobody waits long for the head row
COMMIT_BYTES_MAX = 4 * 1024 * 1024  # bytes of one batch parameter
COMMIT_WAITING_MAX = 4_096  # writes waiting for a commit in one process; more are refused as busy
COMMIT_ATTEMPTS_MAX = 32  # times one write is decided anew; among eight processes on one job it wins one time in eight
ERASE_JOBS_MAX = 50  # jobs whose bodies are rewritten in one transaction, which holds the append lock
ERASE_BODIES_MAX = 1_000  # bodies that one job.erased names: their hashes fit its own body
ERASE_TRIES_MAX = 10  # how often an erasure looks again at jobs that others change meanwhile
RETENTION_DAYS_MAX = 36_525  # a hundred years: more is meant as for ever
JOBS_CACHED_MAX = 20_000  # folded jobs kept by one process (about 2 KiB each), so that most appends load nothing
NUMBERS_AHEAD = 256  # job numbers drawn from the sequence at once; unused ones stay gaps
RECONNECT_S = 10.0  # how long an append looks for its database before the outcome is called unknown
RECONNECT_PAUSE_S = 0.05  # between two tries to reach it

# --- import and export ---------------------------------------------------------------------------------------------------------------
IMPORT_EVENTS_MAX = 3_000  # events in one append: writers beside an import wait no longer than that takes; larger is no faster (measured)
IMPORT_FIRST_EVENTS_MAX = 500  # events in an import's first append, of which each next one may have twice as many: no reading runs beside it
IMPORT_BYTES_MAX = 2 * 1024 * 1024  # bytes of bodies in one append
IMPORT_LINE_BYTES_MAX = 1024 * 1024  # bytes of one line of a file: a file without line ends must not fill the memory
IMPORT_DOCUMENT_BYTES_MAX = 8 * 1024 * 1024  # bytes of one job in a response of another system: memory holds one of them
IMPORT_ENTRIES_MAX = 10_000  # entries of one job's history in such a response: each is decided on top of those before it
IMPORT_MARKUP_DEPTH_MAX = 64  # elements within each other in a response in XML: GoGrid's nest 9 deep
IMPORT_LINES_AHEAD = 100  # lines of an NDJSON table that are looked at for the columns it has
IMPORT_ATTEMPTS_MAX = 5  # times one job is looked up anew when other writers keep changing it
CATCH_UP_STILL_S = 30.0  # an import waits for the read models as long as they move, and so much longer: one fold may take that
IMPORT_JOBS_FOLLOWED_MAX = 5_000  # jobs whose later lines go on without reading their history again

# --- batches that are applied later ------------------------------------------------------------------------------------------------
BATCH_ITEMS_MAX = 50_000  # items of one batch: FullStory's own limit
BATCH_BODY_BYTES_MAX = 32 * 1024 * 1024  # bytes of the body that brings them: 670 an item, and half of what all bodies may fill
BATCHES_TAKEN_AT_ONCE_MAX = 4  # batches that one process saves at the same time: each takes a database connection
BATCHES_WAITING_MAX = 200  # batches of one project that are not over: FullStory's own limit
BATCH_ITEMS_WAITING_MAX = 500_000  # items of one project that wait: FullStory's own limit
BATCH_RETRY_AFTER_S = 5  # after how long to come back when a project has as much waiting as it may: some thousands of items are done by then
BATCH_SLICE_ITEMS_MAX = 200  # items applied in one commit: other projects' batches and other requests wait no longer than that takes
BATCH_PAGE_ITEMS_MAX = 1_000  # results on a page
BATCH_POLL_S = 0.5  # how often an idle worker looks for batches that another process took, and a standby whether it is needed
BATCH_SWEEP_S = 3_600.0  # how often batches that are kept no longer are looked for
BATCH_RESULTS_DAYS = 30  # how long items and results of an ended batch can be read

# --- PostgreSQL --------------------------------------------------------------------------------------------------------------------
STATEMENT_TIMEOUT_S = 30.0  # no question of the API may run longer
LOCK_TIMEOUT_S = 10.0  # no append waits longer for the head row or behind a commit, and nothing else for a small commit of its own
SILENCE_S = 40.0  # a server that says nothing to a question for so long, longer than it may take for one, is given up, and the connection with it
POOL_CONNECTIONS_MAX = 10  # read connections of one process
WALKS_CONNECTIONS_MAX = 4  # and beside them, for lists by one index, a fraction of a millisecond each; and as many for those by one of several
WALK_OFFSET_MAX = 20_000  # jobs that a page on one of them may pass over: a few milliseconds; who goes further takes nobody's
POOL_WAITING_MAX = 512  # requests that may wait for one; more answer 503
POOL_ACQUIRE_TIMEOUT_S = 2.0  # how long they wait; a pool that cannot connect for so long begins anew, since its attempts become ever rarer
CONNECT_TIMEOUT_S = 10.0  # how long a command waits for a server to take its connection; a URL may say otherwise
KEEPALIVE_IDLE_S = 10  # a database connection over TCP that is silent for so long is asked whether it lives
KEEPALIVE_INTERVAL_S = 5  # between two such questions
KEEPALIVE_COUNT = 3  # questions without an answer after which it is dead: a lost network is noticed within 25 s
TCP_USER_TIMEOUT_S = 10  # what we sent to the database and was not received for so long makes the connection dead
EMBEDDED_START_S = 60.0  # a start may have to replay the log of a crash first
EMBEDDED_STOP_S = 60.0  # a fast stop writes a checkpoint before it ends
EMBEDDED_POLL_S = 0.01  # how often a start or stop looks at the server's status file
EMBEDDED_WATCH_S = 1.0  # how often `serve` looks whether its database still runs, to start it again
EMBEDDED_LOG_BYTES_MAX = 16 * 1024 * 1024  # of postgres.log; a longer one is set aside once at the next start
BACKUP_S_MAX = 86_400.0  # how long a backup or its check may take: a day
DIGEST_EVENTS_MAX = 50_000  # events hashed by one statement of a backup: bounds its memory
CLOCK_OFF_S_MAX = 5.0  # `jobledger doctor` tells of clocks that are further apart: revocation and signatures are promised to seconds
LAG_EVENTS_MAX = 50_000  # `jobledger doctor` tells of read models that are further behind: more than one fold
DISK_FREE_BYTES_MIN = 1024**3  # `jobledger doctor` warns below: a busy hour of write-ahead log must fit
SERVER_VERSION_MIN = 150_000  # PostgreSQL 15: the oldest that the tests run against

# --- projections -------------------------------------------------------------------------------------------------------------------
PROJECT_EVENTS_MAX = 5_000  # events folded in one transaction while following: bounds how long a reader may lag
COUNTS_STRETCH = 1_024  # positions between counts kept of the past; never change it without another VERSION of job_counts
REBUILD_EVENTS_MAX = 50_000  # events folded in one transaction while rebuilding: larger is no faster (measured)
REBUILD_MEMORY_MIB = 64  # for each sort and hash table of such a fold: with the 4 of a default, all of them go through files
BUILD_STATISTICS = 30  # values remembered of each column for the first readers: of 9,000 rows, not 30,000; the autovacuum counts again
REBUILD_REST = 0.5  # a rebuild beside a live read model folds as much at a time as a follower, then rests half as long: others come first
FOLD_TIMEOUT_S = 3_600.0  # one fold of a build may take long, and nobody waits for it
REBUILD_TIMEOUT_S = 86_400.0  # comparing large read models takes as long as it takes
SWAP_LOCK_S = 0.1  # a swap waits so long for a reader, since later readers wait behind it
SWAP_S_MAX = 60.0  # a rebuild tries so long to find a moment between readers
WAKE_HELD_S = 0.02  # how long followers that were awake are trusted to come by themselves before they are woken
FOLD_BEAT_S = 0.004  # after a fold a follower looks at the log again with the next beat of this length; twice as long each time while nothing came
FOLD_BEAT_S_MAX = 0.04  # or of this one, in a rush: several times as many events, of which each costs about half
FOLD_RUSH_EVENTS = 18  # a rush: more events than this for a fold after a short beat that a crowd wrote, or twice as many, and nobody who waits
AWAITED_S = 0.2  # so long after somebody waited for read models they rest no longer than they must; who waits says so twice in that time
PAST_REST_S = 0.2  # and one that only questions about earlier moments need so long, unless somebody asks: larger folds cost less an event
BESIDE_WATCH_S = 0.5  # how often `serve` looks whether the processes beside it still run, to start them again
FOLLOW_POLL_S = 0.5  # a follower looks at the log at least this often, should a wake-up be lost
WAIT_POLL_S = 0.02  # how often a waiter looks at positions that another process moves
BUILD_WAIT_S = 10.0  # a server waits at most so long for read models that were never built before it takes requests
WAIT_S_MAX = 5.0  # a write waits at most so long for the read models, then answers without them
RESTART_S_MIN = 0.5  # first pause before a stopped projection tries again
RESTART_S_MAX = 10.0  # longest pause; a read model that was mended is followed again within it

# --- proof -------------------------------------------------------------------------------------------------------------------------
SEAL_EVENTS_MAX = 5_000  # leaves written in one transaction: half a MiB, and memory for as many events
SEAL_JOBS_KEPT_MAX = 50_000  # jobs whose last leaf the checkpointer keeps (150 bytes each), so that it need not look for it
SEAL_STATEMENT_TIMEOUT_S = 300.0  # reading a batch takes well under a second, but on a disk in trouble
ANCHORS_AT_ONCE_MAX = 100  # checkpoints handed to one place before the others get theirs
ANCHOR_TIMEOUT_S = 10.0  # how long a place outside may take for one checkpoint
ANCHOR_LATE_S = 600.0  # a place that was given nothing for so long, though there was something, is perhaps configured no more
FAULTS_SHOWN_MAX = 100  # sentences of what an audit found wrong; the count tells of the rest
CHECKPOINT_INTERVAL_S = 5.0  # what was appended since the last checkpoint is not protected; each costs an fsync and half a KiB

# --- questions ---------------------------------------------------------------------------------------------------------------------
BRANCHES_MAX = 16  # values of one filter that are walked one by one and merged; planning more takes longer than sorting
GETS_MAX = 256  # jobs asked for by id in one question: each takes a few microseconds, and who comes meanwhile waits for all of them
COUNT_EXACTLY_MAX = 10_000  # jobs counted anew while the counters lag behind them (some ms); a larger total is the counters'
SIGHTS_KEPT_MAX = 4_096  # sets of projects of which one process keeps the SQL text (some hundred bytes each)
LATELY_S = 5.0  # how long a process remembers how jobs were said in lists: as a revoked key is good at most; who asks less often is no load
LATELY_BYTES_MAX = 32 * 1024 * 1024  # of what it remembers: some 20,000 jobs, which is 400 pages that are looked at again and again
STATEMENTS_KEPT_MAX = 512  # texts of statements kept by one process (some KiB each); a question's shape, not its values, makes one
PAST_FEW_MAX = 5_000  # jobs that have moved on since and that a list of the past puts in order itself (30 ms); of more, one is soon met in order
PAST_STANDING_MAX = 2_000  # jobs that were in some states and that a list by last change puts in order itself (10 ms); of more, the same
# --- audit -------------------------------------------------------------------------------------------------------------------------
AUDIT_STAYS_MAX = 500_000  # stays in a state whose percentiles one answer takes: about a second of one connection
REFUSALS_KEPT_PER_HOUR = 1_000  # refused commands of one project and hour that are kept whole; more are counted, so that no client fills the disk
REFUSALS_WAITING_MAX = 2_000  # refused commands that wait in one process to be kept; more are counted by the metrics alone
REFUSALS_PAUSE_S = 0.5  # how long refused commands are gathered, so that many are one commit
REFUSAL_REASON_LENGTH_MAX = 1_000  # characters of a reason that are kept
# --- credentials -------------------------------------------------------------------------------------------------------------------
KEY_CACHE_S = 3.0  # a verified key is believed so long without asking again; revocation must bite within 5 s
KEY_AHEAD_S = 1.5  # a key in use is looked up again at this age, while it is still believed, so that nobody waits for it
KEYS_CACHED_MAX = 10_000  # keys and signatures remembered by one process, found or not: bounds what made-up ones can take
KEY_OVERLAP_HOURS = 168.0  # a week: how long a rotated key stays good beside its successor, unless said otherwise
PROJECT_KEYS_MAX = 1_000  # good keys of one project that its managers may have over HTTP: more are people's names in a list
ACTS_SHOWN_MAX = 1_000  # acts on keys that `jobledger keys history` shows
KEY_DAYS_MAX = 3_650  # days until a key expires; for longer, leave the expiry out
SIGNED_WINDOW_S = 300  # a request signed as RFC 9421 has it is good for so long: nonces are remembered as long
SIGNED_AHEAD_S_MAX = 60  # and its clock may be ahead or behind by so much more
OIDC_KEYS_S = 3_600.0  # an issuer's keys are believed so long: a key that it withdraws is good no longer than that
OIDC_FETCH_PAUSE_S = 10.0  # between two fetches of them because a token names an unknown one
OIDC_FETCH_S = 5.0  # how long an issuer may take to answer
OIDC_KEYS_BYTES_MAX = 256 * 1024  # of an issuer's keys: some kilobytes are usual
OIDC_LEEWAY_S = 30  # by how much an issuer's clock may differ from ours
SIGNATURE_WINDOW_S = 600  # a GoGrid signature carries no time: the clock may be off by so much either way
# --- maintenance -------------------------------------------------------------------------------------------------------------------
MAINTENANCE_CACHE_S = 1.0  # how long a process believes what it knows of maintenance without looking again
MAINTENANCE_STALE_S_MAX = 5.0  # how old its knowledge may get while the next look at the database is under way
MAINTENANCE_RETRY_AFTER_S = 60  # after how long callers are asked to come back when the operator names no time
MAINTENANCE_RETRY_AFTER_S_MAX = 86_400  # a day; for longer, stop the server
ComestriResult = Literal["Pending", "Failure"]
# fmt: on


class Settings(BaseSettings):
    """What an operator may set, by LEDGER_* environment variables or the command line."""

    model_config = SettingsConfigDict(env_prefix="LEDGER_", frozen=True)

    database_url: SecretStr | None = Field(
        default=None, description="A PostgreSQL 15+ to use instead of the embedded one."
    )
    data: Path | None = Field(default=None, description="The embedded database's folder.")
    secret_file: Path | None = Field(
        default=None, description="Where the secret that protects credentials lies."
    )
    oidc_file: Path | None = Field(
        default=None, description="Whose OpenID tokens are believed, and what they grant: TOML."
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")
    commit_waiting_max: int = Field(
        default=COMMIT_WAITING_MAX, ge=1, description="Writes that may wait for a commit."
    )
    pool_connections_max: int = Field(
        default=POOL_CONNECTIONS_MAX, ge=1, le=100, description="Read connections of one process."
    )
    connections_max: int = Field(
        default=CONNECTIONS_MAX,
        ge=1,
        le=CONNECTIONS_HELD_MAX,
        description="HTTP connections that one process serves.",
    )
    requests_max: int = Field(default=REQUESTS_MAX, ge=1, description="Requests at work at once.")
    requests_waiting_max: int = Field(
        default=REQUESTS_WAITING_MAX, ge=1, description="Requests that wait in one process."
    )
    turn_s_max: float = Field(
        default=TURN_S_MAX, gt=0, le=60, description="Seconds for which one may wait for a place."
    )
    project_requests_max: int = Field(
        default=PROJECT_REQUESTS_MAX, ge=1, description="Requests of one project in one process."
    )
    key_requests_per_s_max: int = Field(
        default=KEY_REQUESTS_PER_S_MAX, ge=1, description="A key's requests a second, per process."
    )
    wait_s_max: float = Field(
        default=WAIT_S_MAX, ge=0, le=60, description="How long a write waits for the read models."
    )
    checkpoint_interval_s: float = Field(
        default=CHECKPOINT_INTERVAL_S,
        ge=0,
        le=86_400,
        description="How often the growing log is signed; 0: never. What is younger is not protected against tampering.",
    )
    notary_dir: Path | None = Field(
        default=None,
        description="The folder of the keys that sign checkpoints, and of what was signed; else `notary` in the data folder.",
    )
    log_name: str = Field(
        default="",
        pattern=r"^[^\s+]{0,200}$",
        description="The log's name on checkpoints, such as ledger.example.com/log; else one is made up at the first.",
    )
    anchor_file: Path | None = Field(
        default=None,
        description="A file, on another machine's disk, to which each checkpoint is added.",
    )
    anchor_command: str | None = Field(
        default=None, description="A shell command that gets each checkpoint on its stdin."
    )
    anchor_url: SecretStr | None = Field(
        default=None, description="A webhook to which each checkpoint is POSTed as text."
    )
    log_scope: Literal["public", "audit:read", "admin"] = Field(
        default="public",
        description="Who may read checkpoint and tiles. They disclose how many events there are, and nothing else.",
    )
    comestri_utc_offset: str = Field(
        default="+00:00",
        pattern=r"^[+-](0[0-9]|1[0-4]):[0-5][0-9]$",
        description="The UTC offset, such as +10:00, in which the Comestri dialect tells times.",
    )
    comestri_canceled_result: ComestriResult = Field(
        default="Pending",
        description="The result of a canceled job in the Comestri dialect: Pending, as its document says, or Failure, so that pollers stop.",
    )
    batch_results_days: int = Field(
        default=BATCH_RESULTS_DAYS,
        ge=1,
        le=36_500,
        description="Days for which the items and results of an ended batch import are kept; its job stays in the log.",
    )


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
