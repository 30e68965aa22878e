//! Runs as lightningd's hsmd (`--subdaemon=hsmd:...`) and answers with the
//! genuine Greenlight signer. Regtest only; README.md lists the environment.
mod hsmd;
mod node;
mod peers;
mod tls;

use anyhow::{anyhow, Context, Result};
use gl_client::persist::State;
use gl_client::signer::{Signer, SignerBackupConfig, SignerBackupStrategy, SignerConfig};
use std::io::Write;
use std::os::fd::FromRawFd;
use std::path::PathBuf;
use std::sync::Arc;

/// lightningd hands its hsmd a socket as this descriptor.
const LIGHTNINGD_FD: i32 = 3;

/// Largest gRPC message: a state with many channels is some megabytes.
const MAX_MESSAGE: usize = 1 << 28;

const LOG_FILTER: &str = "info,gl_hsmd=debug,gl_client::signer::report=off,\
    vls_protocol_signer=warn,lightning_signer=warn,h2=off,rustls=off,hyper=off,tower=off";

/// An environment variable, unless it is unset or empty.
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

fn main() -> Result<()> {
    if std::env::args().any(|a| a == "--version") {
        return print_version();
    }
    start_log()?;
    // The signer's failure reports would go to Greenlight: refused on loopback.
    std::env::set_var("GL_SCHEDULER_GRPC_URI", "https://127.0.0.1:1");
    let seed = read_seed()?;
    let backup = backup_config()?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(serve(seed, backup))
}

/// lightningd refuses a subdaemon of another version than its own.
fn print_version() -> Result<()> {
    let theirs = env("GLHSMD_CLN_HSMD").unwrap_or_else(|| "lightning_hsmd".into());
    let out = std::process::Command::new(theirs).arg("--version").output()?;
    std::io::stdout().write_all(&out.stdout)?;
    Ok(())
}

fn start_log() -> Result<()> {
    let path = env("GLHSMD_LOGFILE").unwrap_or_else(|| "gl-hsmd.log".into());
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    env_logger::Builder::new()
        .parse_filters(&env("GLHSMD_LOG").unwrap_or_else(|| LOG_FILTER.into()))
        .target(env_logger::Target::Pipe(Box::new(file)))
        .init();
    Ok(())
}

fn read_seed() -> Result<Vec<u8>> {
    let seed = match env("GLHSMD_SEED") {
        Some(hex) => hex::decode(hex).context("GLHSMD_SEED")?,
        None => std::fs::read("hsm_secret").context("hsm_secret")?,
    };
    if seed.len() != 32 {
        return Err(anyhow!("the secret has {} bytes, want 32", seed.len()));
    }
    Ok(seed)
}

fn backup_config() -> Result<Option<SignerBackupConfig>> {
    let Some(path) = env("GLHSMD_BACKUP") else { return Ok(None) };
    let strategy = match env("GLHSMD_STRATEGY").as_deref() {
        None | Some("new_channels_only") => SignerBackupStrategy::NewChannelsOnly,
        Some("never") => SignerBackupStrategy::Never,
        Some(s) => match s.strip_prefix("periodic:") {
            Some(updates) => SignerBackupStrategy::Periodic { updates: updates.parse()? },
            None => return Err(anyhow!("GLHSMD_STRATEGY: {s}")),
        },
    };
    Ok(Some(SignerBackupConfig { path: path.into(), strategy }))
}

async fn serve(seed: Vec<u8>, backup: Option<SignerBackupConfig>) -> Result<()> {
    let tls = tls::Certificates::new()?;
    let creds =
        gl_client::credentials::Nobody::with(tls.client_cert, tls.client_key).with_ca(tls.ca.clone().into_bytes());
    let config = SignerConfig { backup, ..Default::default() };
    let signer = Signer::new_with_config(seed, gl_client::bitcoin::Network::Regtest, creds, config)?;
    log::info!("signer {} of node {}", signer.version(), hex::encode(signer.node_id()));

    let state_path = PathBuf::from(env("GLHSMD_STATE").unwrap_or_else(|| "signer_state.json".into()));
    let state: State = match std::fs::read(&state_path) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_) => State::new(),
    };
    let peers = peers::Book::new(env("GLHSMD_PEERS").map(Into::into), &state)?;
    let node = Arc::new(node::Node::new(state, state_path, peers, &signer));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let incoming = tonic::transport::server::TcpIncoming::from_listener(listener, true, None)
        .map_err(|e| anyhow!("listen: {e}"))?;
    let server = tonic::transport::Server::builder()
        .tls_config(
            tonic::transport::ServerTlsConfig::new()
                .identity(tonic::transport::Identity::from_pem(tls.server_cert, tls.server_key))
                .client_ca_root(tonic::transport::Certificate::from_pem(tls.ca)),
        )?
        .add_service(node::service(node.clone(), MAX_MESSAGE))
        .serve_with_incoming(incoming);
    tokio::spawn(async move {
        log::error!("the node's server ended: {:?}", server.await);
        std::process::exit(1);
    });
    let uri = format!("https://127.0.0.1:{port}").parse()?;
    tokio::spawn(async move {
        log::error!("the signer ended: {:?}", signer.run_once(uri).await);
        std::process::exit(1);
    });

    // SAFETY: lightningd opened the descriptor for us and nobody else uses it.
    let lightningd = unsafe { std::os::unix::net::UnixStream::from_raw_fd(LIGHTNINGD_FD) };
    let end = hsmd::serve(node, lightningd, None).await;
    log::info!("lightningd hung up: {end:?}");
    std::process::exit(0)
}
