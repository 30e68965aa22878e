//! lightningd's side: the hsmd wire protocol (CLN hsmd/hsmd_wire.csv). A
//! message is a u32 length and a body that begins with its u16 type.
use crate::node::Node;
use anyhow::{Context, Result};
use gl_client::pb::greenlight::HsmRequestContext;
use std::future::Future;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream as StdStream;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// hsmd_client_hsmfd: lightningd asks for a connection for a subdaemon.
const CLIENT_FD: u16 = 9;
const CLIENT_FD_REPLY: [u8; 2] = 109u16.to_be_bytes();
/// hsmd_check_pubkey: does the signer derive this wallet key as lightningd does?
const CHECK_PUBKEY: u16 = 28;
const CHECK_PUBKEY_YES: [u8; 3] = [0, 128, 1];
/// hsmd_dev_preinit, from lightningd --developer; it wants no reply.
const DEV_PREINIT: u16 = 99;

/// A message is never longer: a PSBT with its transactions at most.
const MAX_BODY: usize = 1 << 24;

/// Serves one connection until it is closed. `context` says whose it is; the
/// main one has none.
pub fn serve(
    node: Arc<Node>,
    stream: StdStream,
    context: Option<HsmRequestContext>,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    Box::pin(async move {
        stream.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(stream)?;
        loop {
            let Ok(len) = stream.read_u32().await else { return Ok(()) };
            let len = len as usize;
            anyhow::ensure!((2..=MAX_BODY).contains(&len), "message of {len} bytes");
            let mut body = vec![0; len];
            stream.read_exact(&mut body).await?;
            let kind = u16::from_be_bytes([body[0], body[1]]);
            log::debug!("request {kind} of {len} bytes, dbid {:?}", context.as_ref().map(|c| c.dbid));
            match kind {
                DEV_PREINIT => continue,
                CHECK_PUBKEY => reply(&mut stream, &CHECK_PUBKEY_YES).await?,
                CLIENT_FD => {
                    let theirs = new_client(&node, &body)?;
                    reply(&mut stream, &CLIENT_FD_REPLY).await?;
                    pass(&stream, theirs).await?;
                }
                _ => {
                    let answer = node.ask(context.clone(), body).await;
                    if let Err(e) = &answer {
                        log::error!("{e:#}");
                    }
                    reply(&mut stream, &answer?).await?;
                }
            }
        }
    })
}

async fn reply(stream: &mut UnixStream, body: &[u8]) -> Result<()> {
    stream.write_u32(body.len() as u32).await?;
    stream.write_all(body).await?;
    Ok(())
}

/// Makes a connection for a subdaemon: node id (33), dbid u64, capabilities u64.
fn new_client(node: &Arc<Node>, body: &[u8]) -> Result<StdStream> {
    let context = HsmRequestContext {
        node_id: body.get(2..35).context("short hsmd_client_hsmfd")?.to_vec(),
        dbid: u64::from_be_bytes(body.get(35..43).context("short hsmd_client_hsmfd")?.try_into()?),
        capabilities: u64::from_be_bytes(body.get(43..51).context("short hsmd_client_hsmfd")?.try_into()?),
    };
    let (ours, theirs) = StdStream::pair()?;
    let node = node.clone();
    tokio::spawn(async move {
        if let Err(e) = serve(node, ours, Some(context)).await {
            log::error!("a subdaemon's connection ended: {e:#}");
        }
    });
    Ok(theirs)
}

/// Sends the descriptor after the reply, as lightningd's fdpass expects it.
async fn pass(stream: &UnixStream, theirs: StdStream) -> Result<()> {
    let (socket, fd) = (stream.as_raw_fd(), theirs.as_raw_fd());
    stream.async_io(tokio::io::Interest::WRITABLE, || send_fd(socket, fd)).await?;
    Ok(())
}

fn send_fd(socket: RawFd, fd: RawFd) -> std::io::Result<()> {
    const SIZE: u32 = std::mem::size_of::<RawFd>() as u32;
    let mut byte = 0u8;
    let mut part = libc::iovec { iov_base: (&mut byte as *mut u8).cast(), iov_len: 1 };
    // SAFETY: every pointer in the message lives until sendmsg returns, and the
    // control buffer has the size that CMSG_SPACE says; u64 aligns it.
    unsafe {
        let mut control = [0u64; 8];
        assert!(libc::CMSG_SPACE(SIZE) as usize <= std::mem::size_of_val(&control));
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(SIZE) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(SIZE) as _;
        std::ptr::write_unaligned(libc::CMSG_DATA(header).cast::<RawFd>(), fd);
        if libc::sendmsg(socket, &message, 0) < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}
