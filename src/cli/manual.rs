//! What packages install beside the binary: shell completions and the manual page.

use std::io;

use clap::Arg;
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{
    definition,
    help::{SECTIONS, Section},
};

/// The completion script of a shell.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    let mut command = definition();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page in troff, for the program and all its commands.
pub fn manual() -> io::Result<String> {
    // Its own sections follow below, each with a heading.
    let command = definition().after_help(None::<&str>);
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    for command in command.get_subcommands() {
        commands.control("SS", [command.get_name()]);
        let about = command.get_about().map(ToString::to_string);
        commands.text([roman(about.unwrap_or_default())]);
        let own = |argument: &&Arg| !argument.is_global_set() && argument.get_id() != "help";
        for argument in command.get_arguments().filter(own) {
            commands.control("TP", []);
            commands.text([bold(argument.to_string())]);
            let help = argument.get_help().map(ToString::to_string);
            commands.text([roman(help.unwrap_or_default())]);
        }
    }
    for Section { title, entries } in SECTIONS {
        commands.control("SH", [title]);
        for (name, meaning) in entries {
            commands.control("TP", []);
            commands.text([bold(*name)]);
            commands.text([roman(*meaning)]);
        }
    }
    commands.to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
