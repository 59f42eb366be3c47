//! Sets what the compiler cannot know: the revision that is built, and the version of the compiler.

#![expect(
    clippy::disallowed_methods,
    reason = "a build script talks to Cargo by environment and standard output"
)]

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CLOUDSPEND_REVISION");
    // Set by the Makefile, the Dockerfile and the workflows: a source archive or an image build has no .git to look into.
    let revision = env::var("CLOUDSPEND_REVISION")
        .ok()
        .and_then(|text| word(&text, 0));
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let rust_version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| word(&String::from_utf8_lossy(&output.stdout), 1));
    for (name, value) in [
        ("CLOUDSPEND_BUILD_REVISION", revision),
        ("CLOUDSPEND_BUILD_RUST_VERSION", rust_version),
    ] {
        let value = value.unwrap_or_else(|| "unknown".to_owned());
        println!("cargo::rustc-env={name}={value}");
    }
}

/// One word of a text.
fn word(text: &str, position: usize) -> Option<String> {
    text.split_whitespace().nth(position).map(str::to_owned)
}
