//! `postroom generate`: files in `docs/` that are made from the code, so that they cannot disagree with
//! it.

use std::process::ExitCode;

use clap::CommandFactory as _;
use postroom_model::{Envelope, Input, Message, OutsideReply};
use schemars::JsonSchema;

use crate::cli::{Cli, Generate};
use crate::failure::Failure;
use crate::output;

type Made = fn() -> String;

/// Where each file stands, its name, and how it is made.
const FILES: [(&str, &str, Made); 7] = [
    ("docs/openapi.json", "openapi", postroom_gateway::openapi),
    ("docs/asyncapi.json", "asyncapi", postroom_gateway::asyncapi),
    ("docs/schema/message.json", "schema-message", schema::<Message>),
    ("docs/schema/input.json", "schema-input", schema::<Input>),
    ("docs/schema/envelope.json", "schema-envelope", schema::<Envelope>),
    ("docs/schema/reply.json", "schema-reply", schema::<OutsideReply>),
    ("docs/cli.md", "cli", cli_page),
];

pub(crate) fn run(wanted: &Generate) -> Result<ExitCode, Failure> {
    if wanted.name == "list" {
        for (path, name, _) in FILES {
            output::say(&format!("{path}\t{name}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let found = FILES.iter().find(|(_, name, _)| *name == wanted.name);
    let (_, _, make) = found.ok_or_else(|| Failure::usage("no such file; try `list`"))?;
    output::say(make().trim_end());
    Ok(ExitCode::SUCCESS)
}

fn schema<T: JsonSchema>() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(T)).unwrap_or_default()
}

/// Every command with its help.
fn cli_page() -> String {
    let mut page = "# The command line\n\nMade by the program from its own help; `postroom help` \
                    prints the same.\n"
        .to_owned();
    let mut root = Cli::command();
    root.build();
    describe(&mut page, &mut root, "postroom");
    page
}

fn describe(page: &mut String, command: &mut clap::Command, name: &str) {
    let help = tidy(command);
    *page += "\n## `";
    *page += name;
    *page += "`\n\n```text\n";
    *page += &help;
    *page += "\n```\n";
    let children: Vec<String> = command
        .get_subcommands()
        .filter(|child| !child.is_hide_set() && child.get_name() != "help")
        .map(|child| child.get_name().to_owned())
        .collect();
    for child in children {
        if let Some(found) = command.find_subcommand_mut(&child) {
            describe(page, found, &format!("{name} {child}"));
        }
    }
}

fn tidy(command: &mut clap::Command) -> String {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}
