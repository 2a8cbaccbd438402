//! Every bound of the data plane, with its reason. What a user may set has its default and its range here too.

use std::time::Duration;

/// Wrong credentials that are borne of one client at once, on each core: people mistype, programs are deployed with old keys.
pub const CREDENTIAL_FAILURES_BURST: u32 = 100;
/// Of these, how many are forgotten per minute.
pub const CREDENTIAL_FAILURES_PER_MINUTE: u32 = 60;
/// Requests a second of a limit, at most: more than any network carries.
pub const THROTTLE_RATE_MAX: u64 = 1 << 40;
/// How long it may take until a limit's empty bucket is full: who has spent it has to wait so long.
pub const THROTTLE_REFILL_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Tokens of one limit that a core holds at most. What it holds is over when its time is, so where limits are of hundreds of
/// millions a second a thousand would last for a microsecond only, and cores would pass a cache line to and fro.
pub const THROTTLE_LEASE_MAX: u32 = 65_535;
/// How long a core that was refused tokens does not ask again, at most: what others give back in the meantime has to wait so long.
pub const THROTTLE_REFUSED_REMEMBERED: Duration = Duration::from_micros(100);
/// All cores together hold at most one part in so many of a burst: what one holds and does not spend is lost to the others.
pub const THROTTLE_HELD_PART: u64 = 32;
/// Limits that one request has to pass, at most: on the server, its API, its route and its usage plan.
pub const THROTTLE_LEVELS_MAX: usize = 16;
/// How much later one core may know what time it is than another, for limits: a core that was kept waiting by the kernel.
pub const THROTTLE_CLOCK_SLACK: Duration = Duration::from_secs(2);
/// Keys of all limits together that have a bucket of their own at a time: a million take 32 MiB.
pub const THROTTLE_KEYS_MAX: usize = 1 << 20;
/// How long a key's bucket has been full until another key gets its place.
pub const THROTTLE_KEY_GRACE: Duration = Duration::from_millis(100);
/// How often a core looks for a place of a key while others change the table, before it makes do with the overflow bucket.
pub const THROTTLE_TRIES: u32 = 64;
/// Keys whose leases one core holds: 32 bytes each. Those of others are taken token by token.
pub const THROTTLE_NEAR_KEYS: usize = 4096;
/// Requests under way that a limit may allow, at most: more than any machine has.
pub const CONCURRENCY_MAX: u32 = 1_000_000;
/// Requests that may wait for a place of one limit, at most: each keeps its connection's buffer.
pub const QUEUE_LENGTH_MAX: u32 = 65_536;
/// How long a request waits for a place unless configured (`queue.timeout`): a wait that people still take for a slow answer.
pub const QUEUE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);
/// How long it may be configured to wait.
pub const QUEUE_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// How often a request that waits for a place looks whether its client is still there.
pub const QUEUE_LOOK: Duration = Duration::from_millis(100);
/// How long ready work may wait on a core unless configured (`overload.delay`), before requests of low priority are refused: what
/// clients begin to notice.
pub const OVERLOAD_DELAY_DEFAULT: Duration = Duration::from_millis(50);
/// How many waits in a row are looked at together, to tell a queue that stands from a burst: a fifth of a second.
pub const SHED_WINDOW: usize = 4;
/// By how much more is refused from one look to the next, in percent of one priority, ...
pub const SHED_STEP: u16 = 5;
/// ... and up to so many times that, where the wait is as many times its bound.
pub const SHED_STEPS_MAX: u16 = 8;
/// Ticks that a core may have missed: an hour's; past it the clock is not to be believed.
pub const SHED_TIMES_MAX: u32 = 72_000;
/// All cores together have one place in so many of a limit in hand, at most.
pub const PLACES_HELD_PART: u32 = 32;
/// Limits on requests under way that one request has to pass, at most: its route's, its API's, the server's and its upstream's.
pub const CROWDS_MAX: usize = 4;
/// What a client is told to wait where a limit that machines share has nothing left, and nobody knows until when.
pub const THROTTLE_GRANT_WAIT: Duration = Duration::from_secs(1);
/// How often a gateway of a cluster says what it has spent of shared limits, and reserves more, while there are requests: more than is
/// admitted of any limit is at most what its rate gives in this time, and the way to the Redis and back.
pub const CLUSTER_TICK: Duration = Duration::from_millis(25);
/// The same while there are none.
pub const CLUSTER_TICK_IDLE: Duration = Duration::from_millis(100);
/// For how long ahead tokens are reserved: two ticks, and some for the way.
pub const CLUSTER_AHEAD: Duration = Duration::from_millis(60);
/// A shared bucket holds what its rate gives in this time, at least: with less in it, what is reserved for the next tick would not fit.
pub const CLUSTER_BURST_MIN: Duration = Duration::from_millis(100);
/// How long what was reserved may be spent after the Redis was heard from last.
pub const CLUSTER_HOLD: Duration = Duration::from_secs(1);
/// After this without a word from a gateway, what it had reserved is given to others.
pub const CLUSTER_LIFE: Duration = Duration::from_secs(2);
/// A Redis that takes longer to answer counts as gone.
pub const CLUSTER_ANSWER: Duration = Duration::from_millis(400);
/// How long connecting may take, in which nobody waits.
pub const CLUSTER_CONNECT: Duration = Duration::from_secs(1);
/// Until the next attempt to connect: between this ...
pub const CLUSTER_RETRY_MIN: Duration = Duration::from_millis(100);
/// ... and this, by chance, so that the gateways of a cluster do not all come at once.
pub const CLUSTER_RETRY_MAX: Duration = Duration::from_millis(400);
/// Limits that one script looks at: some 10 to 20 µs each, in which the Redis does nothing else for anybody.
pub const CLUSTER_LIMITS_AT_ONCE: usize = 128;
/// Of those that have nothing to say, as many at a time, every [`CLUSTER_TICK_IDLE`].
pub const CLUSTER_IDLE_AT_ONCE: usize = 32;
/// Keys of usage plans that one script looks at: some 5 µs each. If more are used at a time, they take turns.
pub const CLUSTER_KEYS_AT_ONCE: usize = 512;
/// For how long ahead requests of a key are reserved, as long as there are enough: for a machine so busy that a tick is late.
pub const CLUSTER_KEY_AHEAD: Duration = Duration::from_millis(250);
/// After this without a request what is reserved for a key goes back.
pub const CLUSTER_KEY_IDLE: Duration = Duration::from_secs(1);
/// A Redis that has forgotten all is told the purges of this time again; who was away for half as long lets go of all that is kept.
pub const CLUSTER_PURGES_AGAIN: Duration = Duration::from_secs(60);
/// Purges of one gateway that wait to be told; with more of them, all is purged. The list that gateways look at has as many.
pub const CLUSTER_PURGES_MAX: usize = 1000;
/// How long people wait for what the Redis says of usage.
pub const CLUSTER_USAGE_WAIT: Duration = Duration::from_secs(2);
/// How long a start, or a reload with new limits, waits until something is reserved.
pub const CLUSTER_START_WAIT: Duration = Duration::from_millis(500);
const _: () = assert!(CLUSTER_HOLD.as_millis() < CLUSTER_LIFE.as_millis(), "nobody spends what others may have");
const _: () = assert!(CLUSTER_TICK.as_millis() * 2 < CLUSTER_AHEAD.as_millis());
const _: () = assert!(CLUSTER_AHEAD.as_millis() < CLUSTER_BURST_MIN.as_millis());
const _: () = assert!(CLUSTER_ANSWER.as_millis() + CLUSTER_TICK_IDLE.as_millis() < CLUSTER_HOLD.as_millis());
/// Bytes of the name of an API key.
pub const KEY_NAME_BYTES_MAX: usize = 128;
/// Bytes of an API key that are kept for people to know it by.
pub const KEY_SHOWN_BYTES_MAX: usize = 12;
/// Usage plans: a key's are kept as numbers.
pub const USAGE_PLANS_MAX: usize = 10_000;
/// Accounts of quotas that a process opens in its life, one per key and usage plan: a million keys in four plans. One takes 40 bytes,
/// and some 140 with its names.
pub const QUOTA_ACCOUNTS_MAX: usize = 4 * 1024 * 1024;
/// How often what quotas have counted is written down: half of what may be lost, so that writing may take as long again.
pub const USAGE_WRITE_INTERVAL: Duration = Duration::from_millis(500);
/// Bytes past which the file of what was counted is written anew, if it is then four times what is in it.
pub const USAGE_LOG_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// Days of which is kept what keys have used: the ninety that Amazon tells of, and some to spare.
pub const USAGE_DAYS_KEPT: usize = 100;
/// Lines of usage that are told at once (Amazon's `GetUsage`: 500).
pub const USAGE_PAGE_MAX: usize = 500;
/// Bytes of a file of what was counted, past which it is not read: four million accounts take 235 MB.
pub const USAGE_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How long a start waits for a process that still writes to the same folder: one that is stopping.
pub const USAGE_LOCK_WAIT: Duration = Duration::from_secs(5);
/// Bytes of a file of API keys: a million of them with labels.
pub const KEY_FILE_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Lines of a file of API keys that are told to be wrong.
pub const KEY_FILE_ERRORS_MAX: usize = 20;

/// Bytes of stored responses of the whole process unless configured.
pub const CACHE_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;
/// Bytes of stored responses behind one lock: as many locks as that makes, up to the next bound.
pub const CACHE_SHARD_BYTES: u64 = 32 * 1024 * 1024;
/// Locks of the store: with more, a core that misses never meets another one.
pub const CACHE_SHARDS_MAX: u64 = 64;
/// Responses that a core has at hand without a lock: 160 KiB.
pub const CACHE_SHELF_PLACES: usize = 4096;
/// How often a core tells the store that it uses a response, so that it is not evicted.
pub const CACHE_ASK_AGAIN: Duration = Duration::from_secs(1);
/// Purges that a fetch that began before them is held against; if there were more, its response is not stored.
pub const CACHE_PURGES_KNOWN: usize = 4096;
/// Purges whose memory has not been had back yet; whoever adds more of them does that first.
pub const CACHE_PURGES_UNSWEPT: u64 = 65_536;
/// Entries that whoever purges looks through itself: they take a few milliseconds. More are for a thread that yields to cores.
pub const CACHE_SWEEP_HERE: u64 = 10_000;
/// How long whoever purges waits to be told how much it was about; that it is gone is so at once.
pub const CACHE_PURGE_COUNT_WAIT: Duration = Duration::from_secs(1);
/// Tables of fetches under way, each with a lock that misses of the same table share.
pub const CACHE_FETCH_TABLES: usize = 64;
/// Content of a stored response unless configured: Amazon API Gateway's (reference, section 1.8).
pub const CACHE_OBJECT_DEFAULT: u64 = 1 << 20;
/// What `max_object` may be set to: a response is held in one piece, and every lock has room for one.
pub const CACHE_OBJECT_MAX: u64 = 16 << 20;
/// How long a request waits for the answer that another one fetches, unless configured.
pub const CACHE_WAIT_DEFAULT: Duration = Duration::from_secs(5);
/// For how long nobody waits for a response that turned out not to be stored.
pub const CACHE_PASSING: Duration = Duration::from_secs(2);
/// How long a response is fresh, in seconds, of which only its age says so: a day, as RFC 9111 §4.2.2 suggests.
pub const CACHE_HEURISTIC_SECONDS_MAX: u32 = 86_400;
/// Names in a response's `Vary`; with more it is not stored.
pub const CACHE_VARY_MAX: usize = 16;
/// How long stopping may take to write down what the cache keeps (`persist`); what is left then is not written.
pub const CACHE_SAVE_TIME_MAX: Duration = Duration::from_secs(5);
/// How long starting may take to read that; what is left then is not taken up.
pub const CACHE_LOAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Entries between two looks at the clock.
pub const CACHE_SNAPSHOT_STEP: usize = 256;
/// Bytes of a record of what is written down: the largest content, and a head with all that belongs to it.
pub const CACHE_RECORD_BYTES_MAX: u64 = CACHE_OBJECT_MAX + (1 << 20);
/// Lines of `Location`, and of `Content-Location`, that name what a request has changed; further ones do not count.
pub const CACHE_LOCATIONS_MAX: usize = 2;
/// Tags of a response (`Surrogate-Key`, `Cache-Tag`); further ones do not count.
pub const CACHE_TAGS_MAX: usize = 64;
/// Byte ranges of a request; with more it gets the whole (RFC 9110 §17.15).
pub const CACHE_RANGES_MAX: usize = 16;
/// Bytes of a key; what is longer is not looked for.
pub const CACHE_KEY_BYTES_MAX: usize = 32 * 1024;

/// Bytes of a request or response head unless configured (`request_head`): what nginx and HAProxy take in practice.
pub const HEAD_BYTES_DEFAULT: usize = 16 * 1024;
/// The most that `request_head` may be set to: a head is held whole in one buffer per connection.
pub const HEAD_BYTES_MAX: usize = 256 * 1024;
/// The least that `request_head` may be set to: a browser with cookies still fits.
pub const HEAD_BYTES_MIN: usize = 1024;
/// Field lines of a head unless configured (`request_headers`).
pub const FIELDS_DEFAULT: usize = 100;
/// The most that `request_headers` may be set to; also the bound for responses and the size of the tokeniser's table.
pub const FIELDS_MAX: usize = 256;
/// Bytes of a request target past which 414 is answered, if the head's limit does not strike first.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a method token; longer ones are refused as 501.
pub const METHOD_BYTES_MAX: usize = 32;
/// Bytes of one chunk-size line, extensions included (RFC 9112 §7.1.1 asks for a bound).
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Bytes of a trailer section.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// Field lines of a trailer section.
pub const TRAILER_FIELDS_MAX: usize = 32;
/// Interim (1xx) responses that one exchange may bring before it is called broken.
pub const INTERIM_RESPONSES_MAX: u32 = 16;
/// Path parameters of one route: spans are kept in a fixed array.
pub const PATH_PARAMETERS_MAX: usize = 16;
/// Segments of a path that the trie follows; deeper paths match only greedy routes.
pub const PATH_SEGMENTS_MAX: usize = 128;

/// Bytes of a small buffer: a whole head fits, and small bodies with it.
pub const BUFFER_BYTES: usize = HEAD_BYTES_DEFAULT;
/// A head of up to so many bytes with nothing behind it leaves its buffer while an upstream works: hundreds of buffers, all
/// aligned alike, would compete for the same few lines of the cache.
pub const SMALL_HEAD_BYTES: usize = 1536;
/// Bytes of a bulk buffer: measured, larger ones fall out of the cache, smaller ones cost system calls.
pub const BULK_BUFFER_BYTES: usize = 256 * 1024;
/// Bodies that announce less than this never touch a bulk buffer.
pub const BULK_THRESHOLD_BYTES: u64 = 32 * 1024;
/// Bodies of which at least so much is still to come, and nothing is to be read, go from socket to socket through a pipe. Less
/// is copied: what a pipe saves in copies, it costs in pages that are counted and mapped one by one.
pub const SPLICE_THRESHOLD_BYTES: u64 = 128 * 1024;
/// Capacity of such a pipe: as a bulk buffer. With the 1 MiB that the kernel gives at most, both ends work on memory that has left
/// their caches.
pub const PIPE_BYTES: usize = 256 * 1024;
/// Pipes of one core: as many bodies wait for a slow receiver without being copied. The kernel grants a user 64 MiB of them
/// (`/proc/sys/fs/pipe-user-pages-soft`), and gives small ones or none past that.
pub const PIPES_MAX: usize = 64;
/// Free small buffers kept per core; the rest goes back to the allocator.
pub const FREE_BUFFERS_MAX: usize = 256;
/// Free bulk buffers kept per core.
pub const FREE_BULK_BUFFERS_MAX: usize = 16;

/// Most content bytes of a TLS record (RFC 8446 §5.1).
pub const TLS_RECORD_BYTES: usize = 16 * 1024;
/// Content bytes of the first records of a response: what fits a few packets can be decrypted before more have come.
pub const TLS_FIRST_RECORD_BYTES: usize = 4 * 1024;
/// Bytes in which a core decrypts, and as many in which it encrypts: four full records for one call into the kernel.
pub const TLS_SCRATCH_BYTES: usize = 4 * (TLS_RECORD_BYTES + 64);
/// Handshakes that a core has under way; further clients are turned away until some are done. One holds up to 50 KiB.
pub const TLS_HANDSHAKES_MAX: u32 = 1024;
/// A TLS handshake unless configured (`handshake_timeout`).
pub const TLS_HANDSHAKE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Bytes of a ClientHello, past which it is refused: with post-quantum key shares it has two thousand.
pub const TLS_HELLO_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a session ticket, which holds the certificates that the client has shown.
pub const TLS_TICKET_BYTES_MAX: usize = 16 * 1024;
/// How long the last words of a failed handshake are given to arrive.
pub const TLS_LINGER_TIME: Duration = Duration::from_millis(500);
/// Bytes of a file with certificates, keys or revocation lists: a country's revocation list fits.
pub const TLS_FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Certificates of one listener.
pub const TLS_CERTIFICATES_MAX: usize = 10_000;
/// A certificate that expires within this is warned about.
pub const TLS_EXPIRY_WARNING: Duration = Duration::from_secs(14 * 86_400);
/// Names of one certificate that is obtained: what the best-known authority takes.
pub const ACME_DOMAINS_MAX: usize = 100;
/// Bytes of an authority's answer: chains and directories are a hundredth of it.
pub const ACME_ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// One request to an authority, connecting included.
pub const ACME_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an authority may take to look at a challenge, or to issue.
pub const ACME_POLL_TIME: Duration = Duration::from_secs(90);
/// After the first failure to obtain a certificate; each further one doubles it. Authorities allow some five an hour.
pub const ACME_RETRY_FIRST: Duration = Duration::from_secs(60);
/// The longest such pause.
pub const ACME_RETRY_MAX: Duration = Duration::from_secs(6 * 3600);
/// The shortest after an authority said that it was asked too often, and not for how long to be quiet.
pub const ACME_RETRY_RATE_LIMITED: Duration = Duration::from_secs(3600);
/// The longest that an authority may ask to be left alone: a certificate must be had before the old one expires.
pub const ACME_RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);
/// No wait for a renewal is longer, however far away it is: clocks are set, machines sleep.
pub const ACME_WAIT_MAX: Duration = Duration::from_secs(3600);

/// Requests of one pipelining client answered before other connections get their turn.
pub const PIPELINED_PER_TURN: u32 = 16;
/// Connections accepted in one go before other work gets its turn.
pub const ACCEPT_PER_TURN: u32 = 64;
/// Bytes moved for one body before other connections get their turn.
pub const BODY_BYTES_PER_TURN: u64 = 1024 * 1024;
/// Mailbox messages handled in one go.
pub const MAILBOX_PER_TURN: u32 = 64;

/// Pause of a listener that ran out of descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How coarsely deadlines are swept: a timeout fires up to this much late.
pub const SWEEP_INTERVAL: Duration = Duration::from_millis(SWEEP_MILLIS);
/// The same as a number.
pub const SWEEP_MILLIS: u64 = 50;
/// Sweeps that exchanges have to end in once the time to drain is over.
pub const CUT_TICKS: u32 = 3;
/// How long a connection in lingering close is read and thrown away (RFC 9112 §9.6).
pub const LINGER_TIME: Duration = Duration::from_secs(2);
/// Bytes thrown away in lingering close before it is cut.
pub const LINGER_BYTES_MAX: u64 = 1024 * 1024;
/// A pooled upstream connection idle for longer than this is looked at before it is used again, although it is watched:
/// the event loop hears of things up to a turn late. Under load all of the pool is used within this time, and a look is a
/// call.
pub const STALE_AFTER: Duration = Duration::from_millis(100);
/// How long a client that closed its sending side may still wait for the answer; past it, it counts as gone.
pub const HALF_CLOSED_GRACE: Duration = Duration::from_secs(5);

/// `header_timeout` unless configured.
pub const HEADER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// `body_timeout` unless configured: between two reads, or two writes.
pub const BODY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// `idle_timeout` unless configured.
pub const IDLE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(75);
/// `request_body` unless configured: Amazon API Gateway's 10 MB (reference, section 2.2).
pub const REQUEST_BODY_DEFAULT: u64 = 10_485_760;
/// `shutdown_grace` unless configured.
pub const SHUTDOWN_GRACE_DEFAULT: Duration = Duration::from_secs(30);
/// `connect_timeout` unless configured.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(3);
/// An integration's `timeout` unless configured: Amazon API Gateway's 29 s (reference, section 2.2).
pub const INTEGRATION_TIMEOUT_DEFAULT: Duration = Duration::from_secs(29);
/// `keepalive.max_idle` unless configured, per worker.
pub const KEEPALIVE_MAX_IDLE_DEFAULT: u32 = 1024;
/// `keepalive.idle_timeout` unless configured: below the 60 s and more that servers usually keep.
pub const KEEPALIVE_IDLE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(55);
/// A response body in which nothing comes for this long is cut: Amazon API Gateway's idle timeout of streamed responses
/// (reference, section 2.2).
pub const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// A tunnel (101) in which nothing moves for this long is closed.
pub const TUNNEL_IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
/// `retry.budget` unless configured: retries over requests.
pub const RETRY_BUDGET_DEFAULT: f64 = 0.2;
/// Failures in a row after which a server is ejected.
pub const EJECT_AFTER_FAILURES: u32 = 5;
/// First ejection; doubled with each further one.
pub const EJECT_FOR_MIN: Duration = Duration::from_secs(1);
/// Longest ejection.
pub const EJECT_FOR_MAX: Duration = Duration::from_secs(60);

/// Names of upstream servers are looked up again no sooner than this, whatever their TTL says: a TTL of 0 is common.
pub const RESOLVE_AGAIN_MIN: Duration = Duration::from_secs(1);
/// ... and no later than this.
pub const RESOLVE_AGAIN_MAX: Duration = Duration::from_secs(3600);
/// What the hosts file says is looked at again after this; it has no TTLs.
pub const RESOLVE_HOSTS_FILE_TTL: Duration = Duration::from_secs(10);
/// A failed lookup is tried again after this, then twice as long, ...
pub const RESOLVE_RETRY_MIN: Duration = Duration::from_secs(1);
/// ... up to this.
pub const RESOLVE_RETRY_MAX: Duration = Duration::from_secs(30);
/// One lookup, all its queries together.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a start or a reload waits for names before it goes on without them.
pub const RESOLVE_FIRST_WAIT: Duration = Duration::from_secs(3);
/// Lookups in flight at once: name servers drop bursts.
pub const RESOLVE_PARALLEL_MAX: usize = 32;
/// Messages waiting for the resolver; hints past it are dropped, the next failure brings another.
pub const RESOLVE_QUEUE_MAX: usize = 256;
/// Addresses of one name that are used; the rest of a longer answer is ignored.
pub const RESOLVE_ADDRESSES_MAX: usize = 64;

/// How long `ringgate explain` waits for a gateway that may run here.
pub const EXPLAIN_ADMIN_TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes of its answer: a hundred thousand limits.
pub const EXPLAIN_ADMIN_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a start waits for the cores to accept.
pub const START_WAIT: Duration = Duration::from_secs(10);
/// How often control looks whether old plans can go and whether all cores live.
pub const CONTROL_TICK: Duration = Duration::from_millis(500);
/// How long a reload waits for its thread, which gets only what the cores leave, before it compiles on control's own.
pub const RELOAD_PATIENCE: Duration = Duration::from_millis(500);
/// Changes of certificate files within this time are one change: a certificate and its key are two files.
pub const ROTATION_QUIET: Duration = Duration::from_millis(200);
/// Where files never come to rest, how long at most they are waited for.
pub const ROTATION_QUIET_MAX: Duration = Duration::from_secs(2);
/// How long certificate files that do not fit have to stay as they are before they are refused: between the two renames of a
/// certificate and its key lies as much time as the one who renames them is kept waiting.
pub const ROTATION_DOUBT: Duration = Duration::from_secs(2);
/// How often certificate files are read again without a sign of change: file systems of other machines give none.
pub const ROTATION_POLL: Duration = Duration::from_secs(60);
/// How much control steps back behind the cores, in steps of `nice`: a tenth of the processor when a core wants it all.
pub const CONTROL_NICE: i32 = 10;
/// How long a stop waits for a log whose reader does not read.
pub const LOG_STOP_GRACE: Duration = Duration::from_secs(2);

/// Routes with counters of their own; the rest is summed, so that the metrics page stays small enough to scrape.
pub const METRIC_ROUTES_MAX: usize = 1000;
/// Upstream servers with counters of their own; the rest is summed.
pub const METRIC_SERVERS_MAX: usize = 1000;
/// Limits with counters of their own; the rest is summed.
pub const METRIC_LIMITS_MAX: usize = 1000;
/// Certificates with an expiry on the metrics page: those that expire first.
pub const METRIC_CERTIFICATES_MAX: usize = 1000;
/// Bytes of a log buffer: one system call and one hand-over per so many.
pub const LOG_BUFFER_BYTES: usize = 64 * 1024;
/// A log buffer with this much in it is handed over before the next line.
pub const LOG_BUFFER_FULL: usize = 56 * 1024;
/// Log buffers of one core, made as they are needed; when all are on their way to the disk, lines are dropped. So many
/// last 20 ms at 100,000 lines a second: on a machine whose cores are all busy the writer thread has to wait its turn.
pub const LOG_BUFFERS_PER_CORE: usize = 32;
/// Buffers that may wait for one log's writer thread.
pub const LOG_QUEUE: usize = 1024;
/// Bytes of one value in a log line, before escaping; the rest is cut.
pub const LOG_VALUE_BYTES_MAX: usize = 4096;
/// Bytes of a query parameter's value in a gateway response, decoded; the rest is cut.
pub const TEMPLATE_QUERY_BYTES_MAX: usize = 1024;
/// Bytes of a gateway response's template.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a pattern over the statuses of an integration's answers.
pub const SELECTION_PATTERN_BYTES_MAX: usize = 512;
/// Steps that such a pattern may take for one status before it counts as not matching.
pub const SELECTION_STEPS_MAX: usize = 10_000;
/// The most of a body that is received to be left out, where the integration gets another one.
pub const REPLACED_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a log format.
pub const LOG_FORMAT_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one configuration file: a hundred thousand routes fit.
pub const CONFIG_FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Files of one configuration.
pub const CONFIG_FILES_MAX: usize = 4096;
/// Values in all documents of one configuration, aliases of YAML expanded: an 8 MB document has a few hundred thousand.
pub const DOCUMENT_NODES_MAX: usize = 4_000_000;
/// How deeply values of a document may nest: real ones stay below 30, and readers here recurse.
pub const DOCUMENT_DEPTH_MAX: usize = 100;
/// How long a chain of `$ref`s may be until something that is no `$ref`.
pub const DOCUMENT_REFERENCES_MAX: usize = 64;
/// How deeply `include` may nest.
pub const CONFIG_INCLUDE_DEPTH_MAX: usize = 16;
/// Bytes of a file that a `static` integration answers with: it is held in memory.
pub const STATIC_FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a token file.
pub const TOKEN_FILE_BYTES_MAX: usize = 4096;
/// Routes of all APIs together.
pub const ROUTES_MAX: usize = 1_000_000;
/// Bytes of a file of a release: more than any file that a configuration can name.
pub const RELEASE_FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Releases that are kept, those that served last, and the one that serves: a year of weekly ones.
pub const RELEASES_KEPT: usize = 50;
/// Routing rules of a domain: a request may be compared with all of them.
pub const RULES_MAX: usize = 1000;
/// Headers in the conditions of a routing rule (reference, section 1.10).
pub const RULE_HEADERS_MAX: usize = 2;
/// Bytes of a base path that a domain maps (reference, section 1.10).
pub const MAPPING_BYTES_MAX: usize = 300;
/// Bytes of the field lines of a fixed answer: it goes out in one small buffer.
pub const FIXED_FIELDS_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a body that is validated unless `request_body` is set for its route: it is held in memory, and a document of this
/// size takes a core some milliseconds.
pub const VALIDATED_BODY_BYTES_DEFAULT: u64 = 1024 * 1024;
/// The most that `request_body` counts for where bodies are validated.
pub const VALIDATED_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How deeply the JSON of a request or a token may be nested: what people write has a tenth of it, and code that follows it recurses.
pub const JSON_DEPTH_MAX: usize = 64;
/// How deeply a JSON Schema may be nested.
pub const SCHEMA_DEPTH_MAX: usize = 100;
/// Bytes of a file with a JSON Schema.
pub const SCHEMA_FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Steps that a pattern with look-around or back-references may take for one text before it counts as not matching.
pub const PATTERN_STEPS_MAX: usize = 100_000;
/// Bytes of a compiled pattern, and of what it caches while it runs.
pub const PATTERN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Findings that a refused request is told.
pub const VALIDATION_ERRORS_MAX: usize = 16;
/// Bytes of one finding's text, and of its place.
pub const VALIDATION_TEXT_BYTES_MAX: usize = 256;
/// A larger body is told the first finding only: to collect them costs memory for every wrong part of it.
pub const VALIDATION_TELL_ALL_BYTES_MAX: usize = 64 * 1024;
/// How deeply what is told in detail may be nested; the search for all that is wrong takes a power of it in steps.
pub const VALIDATION_TELL_DEPTH_MAX: usize = 8;
/// Models of one API.
pub const MODELS_MAX: usize = 10_000;

/// Bytes of a JSON Web Token, past which it is refused unread: heads have twice as much, real tokens a tenth.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Claims of one token.
pub const TOKEN_CLAIMS_MAX: usize = 256;
/// Bytes of verified tokens' claims that one core remembers: some thousands of tokens.
pub const TOKENS_REMEMBERED_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of a JSON Web Key Set (reference, section 7.4).
pub const JWKS_BYTES_MAX: usize = 150_000;
/// Keys of such a set that are looked at; providers publish two or three.
pub const JWKS_KEYS_MAX: usize = 100;
/// Bits of an RSA key's modulus, at least (NIST SP 800-131A); smaller ones can be broken.
pub const RSA_BITS_MIN: usize = 2048;
/// Bits of an RSA key's modulus, at most: each verification costs the square of it.
pub const RSA_BITS_MAX: usize = 8192;
/// Seconds that the clocks of provider and gateway may differ by, unless configured (`leeway`): a token that was issued this second
/// is not from the future.
pub const TOKEN_LEEWAY_DEFAULT: Duration = Duration::from_secs(5);
/// How long a verified token is remembered unless configured (`cache_ttl`).
pub const TOKEN_CACHE_TTL_DEFAULT: Duration = Duration::from_secs(300);
/// Connecting to a provider for its keys (reference, section 7.4).
pub const JWKS_CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// One request to a provider, connecting included.
pub const JWKS_TIMEOUT: Duration = Duration::from_secs(3);
/// Keys are fetched again after this unless configured (`jwks_refresh`); Amazon keeps them for up to two hours.
pub const JWKS_REFRESH_DEFAULT: Duration = Duration::from_secs(300);
/// After a failure to fetch keys; each further one doubles it, ...
pub const JWKS_RETRY_MIN: Duration = Duration::from_secs(1);
/// ... up to this.
pub const JWKS_RETRY_MAX: Duration = Duration::from_secs(60);
/// Keys are not fetched more often than this, however many tokens name keys that are not there, ...
pub const JWKS_ASK_AGAIN: Duration = Duration::from_secs(5);
/// ... but for so many times in a row: a key that comes just after another one is had at once.
pub const JWKS_ASK_BURST: u32 = 3;
/// How long a request whose token names a key that is not there waits for a new one: until the next fetch may begin
/// ([`JWKS_ASK_AGAIN`]), then the issuer's own page and its keys ([`JWKS_TIMEOUT`] each).
pub const JWKS_WAIT: Duration = Duration::from_secs(11);
/// Requests of one core that may wait so; further ones are refused at once. A waiting request keeps its connection's buffer.
pub const JWKS_WAITING_MAX: u32 = 256;
const _: () = assert!(JWKS_WAIT.as_millis() >= JWKS_ASK_AGAIN.as_millis() + 2 * JWKS_TIMEOUT.as_millis());
/// Names of nested claims in one path.
pub const CLAIM_PATH_DEPTH_MAX: usize = 16;
/// Signing keys that a core keeps: one per user, day, region and service. One takes 700 bytes.
pub const SIGNING_KEYS_MAX: usize = 4096;
/// The most of a body that is held in memory because a signature covers it: Amazon API Gateway's 10 MB (reference, section 2.2).
pub const SIGNED_BODY_BYTES_MAX: u64 = 10_485_760;
/// How far a signature's date may be from now, either way (reference, section 7.1).
pub const SIGNATURE_SKEW: Duration = Duration::from_secs(300);
/// How long a presigned request may be valid: Amazon's seven days.
pub const PRESIGNED_SECONDS_MAX: u64 = 604_800;
/// Bytes of a policy document: Amazon's are 8 KB; lists of addresses have a hundred thousand entries.
pub const POLICY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How deeply a policy document may be nested: the language needs 7.
pub const POLICY_DEPTH_MAX: usize = 16;
/// Bytes of one pattern or value in a policy.
pub const POLICY_VALUE_BYTES_MAX: usize = 4096;
/// Findings that one document is told.
pub const POLICY_FINDINGS_MAX: usize = 64;

const _: () = assert!(FIXED_FIELDS_BYTES_MAX < BUFFER_BYTES, "a fixed answer's head fits a small buffer");
const _: () = assert!(LOG_BUFFER_FULL < LOG_BUFFER_BYTES);
const _: () = assert!(HEAD_BYTES_MIN <= HEAD_BYTES_DEFAULT && HEAD_BYTES_DEFAULT <= HEAD_BYTES_MAX);
const _: () = assert!(BUFFER_BYTES >= HEAD_BYTES_DEFAULT, "a default head fits a small buffer");
const _: () = assert!(BULK_BUFFER_BYTES > BUFFER_BYTES);
const _: () = assert!(SPLICE_THRESHOLD_BYTES >= BULK_THRESHOLD_BYTES, "what is spliced would be worth a bulk buffer");
const _: () = assert!(FIELDS_DEFAULT <= FIELDS_MAX);
const _: () = assert!(TARGET_BYTES_MAX <= HEAD_BYTES_DEFAULT);
const _: () = assert!(HEAD_BYTES_MAX < u32::MAX as usize, "spans are 32 bits");

/// How long an authorizer that is called may take unless configured (`timeout`); Amazon's HTTP APIs give it as long.
pub const AUTHORIZER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Bytes of the answer of an authorizer that is called: policies have 8 KB, and their context some more.
pub const AUTHORIZER_ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Values of the context in such an answer.
pub const AUTHORIZER_CONTEXT_MAX: usize = 256;
/// Bytes of the verdicts that one core remembers of authorizers that it has called: some thousands.
pub const VERDICTS_REMEMBERED_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of identity sources, past which a request is refused: heads have twice as much.
pub const IDENTITY_BYTES_MAX: usize = 8 * 1024;
/// Identity sources of one authorizer.
pub const IDENTITY_SOURCES_MAX: usize = 16;
