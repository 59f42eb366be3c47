//! What `--help` and the manual page say beside commands and flags: examples, files, variables, exit codes.

use std::fmt::Write;

/// One section: its title, and its entries with what each means.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) entries: &'static [(&'static str, &'static str)],
}

pub(super) const SECTIONS: [Section; 4] = [
    Section {
        title: "EXAMPLES",
        entries: &[
            ("cloudspend-exporter demo", "try it, without an account"),
            (
                "cloudspend-exporter check-config --config.file cloudspend.yml",
                "find all errors of a configuration, and secrets that cannot be read",
            ),
            (
                "cloudspend-exporter --config.file cloudspend.yml --storage.path data",
                "poll and serve",
            ),
            (
                "cloudspend-exporter explain --config.file cloudspend.yml --account otc-main",
                "poll one account once and see what comes, or why nothing does",
            ),
            (
                "cloudspend-exporter reconcile --config.file cloudspend.yml --account otc-main --invoice 1234.56 --currency EUR",
                "compare last month with the provider's other figures and an invoice",
            ),
            (
                "cloudspend-exporter backfill --config.file cloudspend.yml --from 2025-01-01 --to 2025-04-01 --output past.om",
                "write past days for Prometheus",
            ),
        ],
    },
    Section {
        title: "FILES",
        entries: &[
            (
                "config/cloudspend.yml, /etc/cloudspend-exporter/cloudspend.yml",
                "the configuration where --config.file is not given: the first that exists",
            ),
            (
                "--web.config.file",
                "TLS, users and headers of the server; read again when it or a file that it names changes",
            ),
            (
                "--storage.path",
                "a file for each account with its sums, readable by its owner alone",
            ),
        ],
    },
    Section {
        title: "ENVIRONMENT",
        entries: &[
            (
                "CLOUDSPEND_KEY__KEY...",
                "sets or overrides a single value of the configuration: upper case, __ between levels, _ for -, such as CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL=30m",
            ),
            ("the variables that *_env keys name", "secrets of accounts"),
            (
                "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
                "proxies of requests to providers, and hosts that are reached without one",
            ),
            (
                "SSL_CERT_FILE, SSL_CERT_DIR",
                "a PEM file and folders with authorities, in place of the system's",
            ),
            (
                "POD_INDEX, POD_NAME, HOSTNAME",
                "the index of a shard where --shard.index is not given",
            ),
            (
                "NO_COLOR, TERM",
                "whether explain and reconcile print colours",
            ),
        ],
    },
    Section {
        title: "EXIT STATUS",
        entries: &[
            ("0", "success"),
            (
                "1",
                "failed: an account of explain, a difference that reconcile finds, a port, a file, a signal during backfill",
            ),
            (
                "2",
                "wrong usage: an unknown command or flag, or a wrong value of one",
            ),
            (
                "3",
                "the configuration has errors; of check-config also a secret or a file of authorities that cannot be read",
            ),
        ],
    },
];

/// The sections as `--help` prints them after the flags.
pub(super) fn text() -> String {
    let mut text = String::new();
    for Section { title, entries } in SECTIONS {
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title}:");
        for (name, meaning) in entries {
            let _ = writeln!(text, "  {name}\n        {meaning}");
        }
    }
    text.trim_end().to_owned()
}
