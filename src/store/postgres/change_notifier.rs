//! Notification of changes: of this node's at once, of another node's when its `NOTIFY` arrives, and in any case after
//! a tenth of a second. So nothing is late if notifications are lost, as behind a pooler.

use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::hosts;

/// The interval of unconditional notifications, the longest delay.
const LATEST: Duration = Duration::from_millis(100);

/// The pause before a new connection after one was lost.
const PAUSE: Duration = Duration::from_secs(1);

/// The `NOTIFY` channel for additions to the log.
pub(super) const CHANNEL: &str = "rescind";

/// The change notifier; dropping it stops its tasks.
pub(super) struct ChangeNotifier {
    written: watch::Sender<()>,
    tasks: [JoinHandle<()>; 2],
}

impl ChangeNotifier {
    /// Starts to listen to the other nodes.
    pub(super) fn start(config: Config, tls: MakeRustlsConnect) -> Self {
        let written = watch::Sender::new(());
        let tasks = [
            tokio::spawn(notify_periodically(written.clone())),
            tokio::spawn(listen(config, tls, written.clone())),
        ];
        Self { written, tasks }
    }

    /// Notifies this node's receivers of a change made by this node.
    pub(super) fn notify(&self) {
        self.written.send_replace(());
    }

    /// Subscribes to notifications of changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }
}

impl Drop for ChangeNotifier {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn notify_periodically(written: watch::Sender<()>) {
    let mut soon = tokio::time::interval(LATEST);
    loop {
        soon.tick().await;
        written.send_replace(());
    }
}

async fn listen(config: Config, tls: MakeRustlsConnect, written: watch::Sender<()>) {
    loop {
        if let Err(error) = listen_once(&config, &tls, &written).await {
            tracing::debug!(%error, "other nodes are not heard");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Listens on one connection until it ends.
async fn listen_once(
    config: &Config,
    tls: &MakeRustlsConnect,
    written: &watch::Sender<()>,
) -> Result<(), Error> {
    let (client, mut connection) = hosts::connect(config, tls).await?;
    let listening = async {
        client.batch_execute(&format!("listen {CHANNEL}")).await?;
        std::future::pending::<Result<(), Error>>().await
    };
    let hearing = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(_) = message? {
                written.send_replace(());
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = listening => ended,
        ended = hearing => ended,
    }
}
