//! What is printed for shells and readers of manuals: real bash takes it and completes with it.

use tokio::process::Command;

use crate::support::Program;

async fn printed(arguments: &[&str]) -> String {
    let ended = Program::exporter(arguments).end().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    ended.stdout
}

/// Asks the completion as bash does: for the program, the last word and the one before it.
const ASK: &str = r#"
function=$(complete -p cloudspend-exporter | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"$function" "$1" "${@: -1}" "${@: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// What bash offers for the last word of a line.
async fn offers(script: &str, words: &[&str]) -> Vec<String> {
    let mut bash = Command::new("bash");
    let ask = format!("{script}{ASK}");
    bash.args(["--norc", "-c", &ask, "bash"]).args(words);
    let ended = Program::start(bash).unwrap().end().await;
    assert_eq!(ended.stderr, "");
    ended.stdout.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn bash_completes_commands_flags_and_values() {
    let script = printed(&["completions", "bash"]).await;
    for (words, want) in [
        (&["cloudspend-exporter", "check"][..], &["check-config"][..]),
        (&["cloudspend-exporter", "--log.f"], &["--log.format"]),
        (
            &["cloudspend-exporter", "--log.format", ""],
            &["logfmt", "json"],
        ),
        (&["cloudspend-exporter", "backfill", "--ste"], &["--step"]),
        (
            &["cloudspend-exporter", "check-config", "--config"],
            &["--config.file"],
        ),
        (&["cloudspend-exporter", "completions", "z"], &["zsh"]),
    ] {
        assert_eq!(offers(&script, words).await, want, "{words:?}");
    }
}

#[tokio::test]
async fn every_shell_has_a_script() {
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("elvish", "edit:completion"),
        ("fish", "complete -c cloudspend-exporter"),
        ("powershell", "Register-ArgumentCompleter"),
        ("zsh", "#compdef cloudspend-exporter"),
    ] {
        let script = printed(&["completions", shell]).await;
        assert!(script.contains(mark), "{shell}: {script}");
    }
    let ended = Program::exporter(&["completions", "csh"]).end().await;
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("possible values"), "{ended:?}");
}

#[tokio::test]
async fn manual_page_names_commands_and_flags() {
    let page = printed(&["manual"]).await;
    assert!(page.contains(".TH cloudspend-exporter 1"), "{page}");
    // In troff a hyphen is `\-` and the dot of a flag stays.
    for text in [".SS check-config", "\\-\\-config.file", "\\-\\-step"] {
        assert!(page.contains(text), "{text} in {page}");
    }
    // Commands have no pages of their own to point to.
    assert!(!page.contains("(1)"), "{page}");
}
