//! The command line: names and options, nothing of what they do.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use postroom_model::Role;

/// One queue for every channel: email, chat and telephone end in front of the right agent.
#[derive(Debug, Parser)]
#[command(name = "postroom", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Shared {
    /// Configuration file [default: config/postroom.toml, then $XDG_CONFIG_HOME/postroom/postroom.toml]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the data; wins over server.data_dir
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to log, such as `info` or `postroom_router=debug`
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process
    Serve,
    /// Clustered form: only send what must leave; any number of processes may
    Channels,
    /// Clustered form: only decide; one of any number is active, the others stand by
    Router,
    /// Clustered form: only the HTTP server; any number of processes may
    Gateway,
    /// Try what the configuration names and say what to do about it; exit 1 if anything is wrong
    Doctor,
    /// Read the configuration and report every mistake; exit 2 if there is any
    Check,
    /// Show what Postroom makes of a raw message; touches nothing
    Inspect(Inspect),
    /// Bearer tokens of programs
    #[command(subcommand)]
    Token(Token),
    /// One-time links that sign a person in
    #[command(subcommand)]
    Link(Link),
    /// Inputs that were set aside
    #[command(subcommand)]
    Parked(Parked),
    /// Why a conversation is where it is
    Explain(Explain),
    /// Play recorded traffic through another configuration, and show what would differ; writes nothing
    DryRun(DryRun),
    /// How many agents each queue needs by the hour, from what came and how long it took
    Staffing(Staffing),
    /// Fold the ledger, compare it with the records and account for every input; exit 1 on any difference
    Verify,
    /// Make the records anew from the ledger
    Rebuild,
    /// Fetch again what a channel's source still has; safe to repeat
    Backfill(Backfill),
    /// Measure this machine bare and with Postroom on it, side by side; needs no configuration
    Bench(Bench),
    /// The bare servers that `bench` compares with
    #[command(hide = true)]
    BenchServer(BenchServer),
    /// Play a short day of customers into a running server
    Demo,
    /// Print a generated file
    #[command(hide = true)]
    Generate(Generate),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Email,
    Imap,
    Webhook,
    Phone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BareBody {
    Text,
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Kind of channel
    #[arg(long)]
    pub(crate) kind: Kind,
    /// Format of the provider
    #[arg(long)]
    pub(crate) dialect: Option<String>,
    /// The files are bare bodies of mail
    #[arg(long)]
    pub(crate) body: Option<BareBody>,
    /// A request header
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Check the signature with this secret
    #[arg(long)]
    pub(crate) secret: Option<String>,
    /// Request method
    #[arg(long, default_value = "POST")]
    pub(crate) method: String,
    /// Request URL, with its query
    #[arg(long, default_value = "/")]
    pub(crate) url: String,
    /// The time as of which signatures are checked, in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIX")]
    pub(crate) now: Option<i64>,
    /// Media type of the body
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Time zone of a log that has local times
    #[arg(long, value_name = "TZ")]
    pub(crate) time_zone: Option<String>,
    /// Country, in two letters, of the numbers in a telephone log that name none
    #[arg(long, value_name = "COUNTRY")]
    pub(crate) region: Option<String>,
    /// Files, or - for standard input; several are one sequence, in order
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    Agent,
    Supervisor,
    Admin,
    Integrator,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Agent => Self::Agent,
            RoleName::Supervisor => Self::Supervisor,
            RoleName::Admin => Self::Admin,
            RoleName::Integrator => Self::Integrator,
        }
    }
}

/// Whom a secret stands for.
#[derive(Debug, Args)]
pub(crate) struct Holder {
    /// What the holder may do
    #[arg(long)]
    pub(crate) role: RoleName,
    /// The agent that the holder acts as; needed for the role agent
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    /// A name for people to know it by
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// For integrators, who need at least one: a channel of theirs; may be repeated
    #[arg(long = "channel", value_name = "ID")]
    pub(crate) channels: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Print a new bearer token, once, and nothing else
    Create(Holder),
    /// List the tokens by their ids, the oldest first; their secrets are not known here
    List,
    /// End a token: from now on it is answered 401
    Revoke {
        /// Id of the token, as `list` shows it
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Link {
    /// Print a new sign-in link; it works once, for a day
    Create(Holder),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Parked {
    /// List them, the oldest first
    List,
    /// Show one whole
    Show {
        /// Id of the input
        id: String,
    },
    /// Decide it once more
    Retry {
        /// Id of the input
        id: String,
    },
    /// Give it up
    Drop {
        /// Id of the input
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Backfill {
    /// Id of the channel
    pub(crate) channel: String,
    /// From when on: a date such as 2026-03-01, a moment, 7d or 12h
    #[arg(long, value_name = "DATE", required_unless_present = "audit")]
    pub(crate) since: Option<String>,
    /// Fetch nothing: compare what the source still has with the ledger; exit 1 if anything is missing
    #[arg(long, conflicts_with = "since")]
    pub(crate) audit: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DryRun {
    /// From when on: a date such as 2026-03-01, a moment, 7d or 12h
    #[arg(long, value_name = "DATE", default_value = "7d")]
    pub(crate) since: String,
    /// What is drawn for conversations that nobody answered; the same seed gives the same report
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Id of the conversation
    pub(crate) conversation: String,
}

#[derive(Debug, Args)]
pub(crate) struct Staffing {
    /// Only this queue
    #[arg(long, value_name = "ID")]
    pub(crate) queue: Option<String>,
    /// Days that are looked at, up to now
    #[arg(long, default_value_t = 28, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) days: u32,
    /// Who is to be answered in time, in percent
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) percent: u32,
    /// The time in which they are to be answered, in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) within_s: u32,
    /// How long one takes in queues in which nothing was answered, in seconds; without it no number of
    /// agents is told for those
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) handling_s: Option<u32>,
    /// Zone of the hours, by its name in the IANA database
    #[arg(long, default_value = "UTC", value_name = "TZ")]
    pub(crate) time_zone: String,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// `list`, or a name that it prints
    pub(crate) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Embedded,
    Clustered,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Which form is measured
    #[arg(long, default_value = "embedded")]
    pub(crate) form: Form,
    /// Messages posted in each round
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub(crate) messages: u32,
    /// Bytes in the body of a message
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(256..=60_000))]
    pub(crate) payload_bytes: u32,
    /// Rounds; each figure is the median of them
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) rounds: u32,
    /// Connections that post at the same time
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub(crate) connections: u32,
    /// Open conversations with which the start is measured
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub(crate) open: u32,
    /// Only the core, by itself: decisions, rules and dry runs
    #[arg(long)]
    pub(crate) core: bool,
    /// The nats-server of the clustered form, 2.12 or newer; else `$POSTROOM_NATS_SERVER`, else the one
    /// on the path
    #[arg(long, value_name = "PATH")]
    pub(crate) nats_server: Option<PathBuf>,
    /// Its redis-server, 7.0 or newer; else `$POSTROOM_REDIS_SERVER`, else the one on the path
    #[arg(long, value_name = "PATH")]
    pub(crate) redis_server: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bare {
    /// Answers and stores nothing
    RawHttp,
    /// Stores the body and answers
    RawBus,
}

#[derive(Debug, Args)]
pub(crate) struct BenchServer {
    pub(crate) bare: Bare,
    /// Address of a nats-server to store in, in place of a file
    #[arg(long)]
    pub(crate) bus: Option<String>,
}
