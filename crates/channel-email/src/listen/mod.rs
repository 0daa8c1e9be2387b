//! Takes mail by LMTP or SMTP. Who delivers hears 250 for a recipient only once the mail is durable
//! (P1); until then it is theirs.
//!
//! One listener can serve several channels: each recipient's address says whose mail it is.

mod forward;
mod house;
mod session;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use postroom_channel::{AcceptError, Inlet};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use self::house::{Box as PostBox, House};
use self::session::Session;
use self::wire::Wire;
use crate::pause::Pause;

/// How long somebody who listens may take to greet.
const GREETING_WAIT: Duration = Duration::from_secs(5);

/// Until `shutdown`; conversations that have begun are brought to an end.
pub(crate) async fn run(
    house: Arc<House>,
    inlet: Arc<dyn Inlet>,
    shutdown: CancellationToken,
) -> Result<(), AcceptError> {
    let mut pause = Pause::new();
    let address = house.options.address;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return serve(&house, &listener, &inlet, &shutdown).await,
            Err(error) => {
                tracing::error!(%address, code = "listen_failed", %error, "cannot take mail");
            }
        }
        if !pause.rest(&shutdown).await {
            return Ok(());
        }
    }
}

/// Who listens where this one should: words for what is good, or for what is not.
pub(crate) async fn examine(house: &House) -> Result<String, String> {
    let address = house.options.address;
    let Ok(stream) = TcpStream::connect(address).await else {
        return match TcpListener::bind(address).await {
            Ok(_) => Ok(format!("nobody listens on {address} now; `postroom serve` does")),
            Err(error) => Err(format!("cannot listen on {address}: {error}")),
        };
    };
    let mut greeting = [0; 256];
    let reading = tokio::time::timeout(GREETING_WAIT, stream.readable());
    let read = match reading.await {
        Ok(Ok(())) => stream.try_read(&mut greeting).unwrap_or(0),
        _ => 0,
    };
    let said = String::from_utf8_lossy(greeting.get(..read).unwrap_or_default()).into_owned();
    if said.starts_with("220 ") && said.trim_end().ends_with(" Postroom") {
        return Ok(format!("mail is taken on {address}"));
    }
    Err(format!("another program listens on {address}"))
}

/// On a socket that is open.
pub(crate) async fn serve(
    house: &Arc<House>,
    listener: &TcpListener,
    inlet: &Arc<dyn Inlet>,
    shutdown: &CancellationToken,
) -> Result<(), AcceptError> {
    let (address, protocol) = (house.options.address, house.options.protocol.name());
    tracing::info!(%address, protocol, "mail is taken");
    let room = Arc::new(Semaphore::new(house.options.connections_max));
    // Dropped with this future, and with it every connection.
    let mut tasks = JoinSet::new();
    let mut pause = Pause::new();
    loop {
        let taken = tokio::select! {
            () = shutdown.cancelled() => break,
            taken = listener.accept() => taken,
            Some(_) = tasks.join_next() => continue,
        };
        let (stream, peer) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                if !pause.rest(shutdown).await {
                    break;
                }
                continue;
            }
        };
        pause.reset();
        let (house, inlet) = (Arc::clone(house), Arc::clone(inlet));
        let (room, shutdown) = (Arc::clone(&room), shutdown.clone());
        tasks.spawn(async move {
            let Ok(_place) = room.try_acquire() else {
                return turned_away(stream, &house).await;
            };
            let wire = Wire::new(Box::new(stream), house.options.idle, shutdown);
            if let Err(end) = Session::new(house, inlet, peer.ip()).run(wire).await {
                tracing::debug!(%peer, %end, "a connection ended early");
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// One conversation over any stream, until either side leaves.
pub(crate) async fn converse(
    house: &Arc<House>,
    inlet: Arc<dyn Inlet>,
    stream: tokio::io::DuplexStream,
    idle: Duration,
) {
    let wire = Wire::new(Box::new(stream), idle, CancellationToken::new());
    let nobody = std::net::IpAddr::from(std::net::Ipv4Addr::UNSPECIFIED);
    drop(Session::new(Arc::clone(house), inlet, nobody).run(wire).await);
}

async fn turned_away(stream: TcpStream, house: &House) {
    tracing::warn!("more connections than connections_max; one is turned away");
    let mut wire = Wire::new(Box::new(stream), house.options.idle, CancellationToken::new());
    let said = wire.say("421 4.3.2 too many connections, try again later").await;
    drop(said);
}

#[cfg(test)]
mod tests;
