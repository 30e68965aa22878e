//! Greenlight's own reader and converter of signer backups, as JSON on standard
//! output; a refusal is its exact text there, and exit code 1.
use anyhow::{bail, Result};
use gl_client::signer::{CLNBackupOptions, SignerBackupSnapshot};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let [_, verb, path] = args.as_slice() else {
        eprintln!("usage: gl-tool convert|convert-skip|inspect|summary BACKUP");
        return ExitCode::from(2);
    };
    match run(verb, path) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            println!("{e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &str, path: &str) -> Result<String> {
    let backup = SignerBackupSnapshot::read(path)?;
    let convert = |skip_incomplete| backup.to_cln_backup(CLNBackupOptions { skip_incomplete });
    Ok(match verb {
        "convert" => serde_json::to_string_pretty(&convert(false)?)?,
        "convert-skip" => serde_json::to_string_pretty(&convert(true)?)?,
        "inspect" => serde_json::to_string_pretty(&backup.recovery_data()?)?,
        "summary" => format!(
            "version {} created_at {} node_id {} strategy {:?} entries {}",
            backup.version,
            backup.created_at,
            backup.node_id,
            backup.strategy,
            backup.state.len()
        ),
        _ => bail!("unknown verb {verb}"),
    })
}
