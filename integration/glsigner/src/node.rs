//! The node's side of Greenlight's signer protocol: keeps the signer's state,
//! streams requests to it and takes its responses (greenlight.proto, Node).
use crate::peers::Book;
use anyhow::{anyhow, bail, Result};
use gl_client::pb::greenlight::{
    self as pb,
    node_server::{self, NodeServer},
    Empty, HsmRequest, HsmRequestContext, HsmResponse, SignerStateEntry,
};
use gl_client::pb::scheduler::StartupMessage;
use gl_client::persist::State;
use gl_client::signer::Signer;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// hsmd_init, which the signer has answered once for all.
const INIT: u16 = 11;
/// hsmd_dev_memleak, from lightningd --developer: no leak.
const DEV_MEMLEAK: u16 = 33;
const DEV_MEMLEAK_REPLY: [u8; 3] = [0, 133, 0];
/// VLS GetHeartbeat: carries the whole state to a signer that has just come.
const HEARTBEAT: u16 = 2008;

pub struct Node {
    state: Mutex<State>,
    state_path: PathBuf,
    peers: Book,
    pending: Mutex<HashMap<u32, oneshot::Sender<HsmResponse>>>,
    requests: mpsc::Sender<HsmRequest>,
    /// Taken by the one signer that may come.
    queue: Mutex<Option<mpsc::Receiver<HsmRequest>>>,
    next_id: AtomicU32,
    /// Answers that the signer gave before anything was asked.
    canned: HashMap<Vec<u8>, Vec<u8>>,
    init: Vec<u8>,
}

impl Node {
    pub fn new(state: State, state_path: PathBuf, peers: Book, signer: &Signer) -> Node {
        let (requests, queue) = mpsc::channel(1000);
        let canned = signer
            .get_startup_messages()
            .into_iter()
            .map(|m| {
                let m: StartupMessage = m.into();
                (m.request, m.response)
            })
            .collect();
        Node {
            state: Mutex::new(state),
            state_path,
            peers,
            pending: Mutex::default(),
            requests,
            queue: Mutex::new(Some(queue)),
            next_id: AtomicU32::new(1000),
            canned,
            init: signer.get_init(),
        }
    }

    /// Sends a request of lightningd to the signer and returns its answer.
    pub async fn ask(&self, context: Option<HsmRequestContext>, raw: Vec<u8>) -> Result<Vec<u8>> {
        if let Some(answer) = self.canned.get(&raw) {
            return Ok(answer.clone());
        }
        let kind = u16::from_be_bytes([raw[0], raw[1]]);
        match kind {
            INIT => return Ok(self.init.clone()),
            DEV_MEMLEAK => return Ok(DEV_MEMLEAK_REPLY.to_vec()),
            _ => {}
        }
        let request_id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (tx, rx) = oneshot::channel();
        self.pending.lock().unwrap().insert(request_id, tx);
        let request = HsmRequest { request_id, context, raw, requests: vec![], signer_state: vec![] };
        self.requests.send(request).await.map_err(|_| anyhow!("the signer has gone"))?;
        let response = rx.await?;
        if !response.error.is_empty() {
            bail!("the signer refuses request {kind}: {}", response.error);
        }
        Ok(response.raw)
    }

    /// The state with the peers that the file has by now.
    fn current(&self) -> State {
        let mut state = self.state.lock().unwrap();
        if self.peers.merge_into(&mut state) {
            if let Err(e) = self.persist(&state) {
                log::error!("state: {e}");
            }
        }
        state.clone()
    }

    fn persist(&self, state: &State) -> Result<()> {
        let tmp = self.state_path.with_extension("tmp");
        std::fs::write(&tmp, serde_json::to_vec(state)?)?;
        std::fs::rename(&tmp, &self.state_path)?;
        Ok(())
    }
}

pub fn service(node: Arc<Node>, max_message: usize) -> NodeServer<Service> {
    NodeServer::new(Service(node)).max_decoding_message_size(max_message).max_encoding_message_size(max_message)
}

pub struct Service(Arc<Node>);

type Answer<T> = Result<Response<T>, Status>;
type Stream<T> = ReceiverStream<Result<T, Status>>;

fn unused<T>() -> Answer<T> {
    Err(Status::unimplemented("no signer asks for this"))
}

#[tonic::async_trait]
impl node_server::Node for Service {
    type StreamIncomingStream = Stream<pb::IncomingPayment>;
    type StreamLogStream = Stream<pb::LogEntry>;
    type StreamCustommsgStream = Stream<pb::Custommsg>;
    type StreamNodeEventsStream = Stream<pb::NodeEvent>;
    type StreamHsmRequestsStream = Stream<HsmRequest>;

    async fn stream_hsm_requests(&self, _: Request<Empty>) -> Answer<Self::StreamHsmRequestsStream> {
        let taken = self.0.queue.lock().unwrap().take();
        let mut queue = taken.ok_or_else(|| Status::unavailable("a signer is here already"))?;
        let (tx, rx) = mpsc::channel(10);
        let node = self.0.clone();
        tokio::spawn(async move {
            let state = node.current();
            let all: Vec<SignerStateEntry> = state.omit_tombstones().into();
            let first = HsmRequest {
                request_id: 0,
                context: None,
                raw: HEARTBEAT.to_be_bytes().to_vec(),
                requests: vec![],
                signer_state: all,
            };
            let mut sent = tx.send(Ok(first)).await;
            // Later requests carry only what the signer has not seen.
            let mut sketch = state.sketch();
            while sent.is_ok() {
                let Some(mut request) = queue.recv().await else { break };
                let diff = sketch.diff_state(&node.current());
                sketch.apply_state(&diff);
                request.signer_state = diff.into();
                sent = tx.send(Ok(request)).await;
            }
            log::warn!("the signer's stream ended");
        });
        Ok(Response::new(ReceiverStream::new(rx)))
    }

    async fn respond_hsm_request(&self, response: Request<HsmResponse>) -> Answer<Empty> {
        let response = response.into_inner();
        if response.error.is_empty() {
            let new: State = response.signer_state.clone().into();
            let mut state = self.0.state.lock().unwrap();
            state.merge(&new).map_err(|e| Status::internal(format!("merge: {e}")))?;
            // What is not stored was not done: lightningd gets no answer.
            self.0.persist(&state).map_err(|e| Status::internal(format!("state: {e}")))?;
        } else {
            log::error!("the signer reports: {}", response.error);
        }
        if let Some(waiting) = self.0.pending.lock().unwrap().remove(&response.request_id) {
            let _ = waiting.send(response); // a subdaemon that has gone meanwhile
        }
        Ok(Response::new(Empty::default()))
    }

    async fn lsp_invoice(&self, _: Request<pb::LspInvoiceRequest>) -> Answer<pb::LspInvoiceResponse> {
        unused()
    }
    async fn stream_incoming(&self, _: Request<pb::StreamIncomingFilter>) -> Answer<Self::StreamIncomingStream> {
        unused()
    }
    async fn stream_log(&self, _: Request<pb::StreamLogRequest>) -> Answer<Self::StreamLogStream> {
        unused()
    }
    async fn stream_custommsg(&self, _: Request<pb::StreamCustommsgRequest>) -> Answer<Self::StreamCustommsgStream> {
        unused()
    }
    async fn stream_node_events(&self, _: Request<pb::NodeEventsRequest>) -> Answer<Self::StreamNodeEventsStream> {
        unused()
    }
    async fn configure(&self, _: Request<pb::GlConfig>) -> Answer<Empty> {
        unused()
    }
    async fn trampoline_pay(&self, _: Request<pb::TrampolinePayRequest>) -> Answer<pb::TrampolinePayResponse> {
        unused()
    }
}
