//! `postroom`: the only crate that names backends and adapters, and the command line around them.
//!
//! It puts the rooms together and starts them; it decides nothing about messages.

mod adapters;
#[expect(
    clippy::rc_buffer,
    clippy::struct_field_names,
    clippy::format_push_string,
    reason = "figures carry their units; posts are shared between connections as they are"
)]
mod bench;
mod cli;
mod commands;
mod door;
mod engines;
mod failure;
mod output;
mod outside;
mod serve;
mod setup;
mod store;
mod threads;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::failure::Failure;
use crate::serve::Roles;

/// Most of what is allocated here is freed on another thread, which this one does in less than half
/// the time of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For how long the end waits for calls that block, such as reads of a file.
pub(crate) const END_WAIT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(run(&cli));
            // Open connections end here, and with the last one that knows them the files are closed.
            runtime.shutdown_timeout(END_WAIT);
            ended
        }
        Err(error) => Err(Failure::failed(format!("the runtime cannot start: {error}"))),
    };
    match ended {
        Ok(code) => code,
        Err(failure) => {
            failure.print(cli.shared.json);
            failure.exit_code()
        }
    }
}

async fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    output::start_log(cli.shared.log.as_deref());
    let shared = &cli.shared;
    match &cli.command {
        Command::Serve => Box::pin(serve::run(shared, Roles::EVERYTHING)).await,
        Command::Channels => Box::pin(serve::run(shared, Roles::CHANNELS)).await,
        Command::Router => Box::pin(serve::run(shared, Roles::ROUTER)).await,
        Command::Gateway => Box::pin(serve::run(shared, Roles::GATEWAY)).await,
        Command::Doctor => commands::doctor::run(shared).await,
        Command::Check => commands::check::run(shared),
        Command::Inspect(wanted) => commands::inspect::run(wanted),
        Command::Token(wanted) => commands::token::token(shared, wanted).await,
        Command::Link(wanted) => commands::token::link(shared, wanted).await,
        Command::Parked(wanted) => commands::parked::run(shared, wanted).await,
        Command::Explain(wanted) => commands::explain::run(shared, wanted).await,
        Command::DryRun(wanted) => commands::dry_run::run(shared, wanted).await,
        Command::Staffing(wanted) => commands::staffing::run(shared, wanted).await,
        Command::Verify => commands::verify::run(shared).await,
        Command::Rebuild => commands::rebuild::run(shared).await,
        Command::Backfill(wanted) => commands::backfill::run(shared, wanted).await,
        Command::Bench(wanted) => Box::pin(bench::run(shared, wanted)).await,
        Command::BenchServer(wanted) => bench::server::run(shared, wanted).await,
        Command::Demo => commands::demo::run(shared).await,
        Command::Generate(wanted) => commands::generate::run(wanted),
    }
}
