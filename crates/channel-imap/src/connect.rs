//! The way to a server: the connection, TLS, the greeting, and signing in.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_imap::imap_proto::{Response, Status};
use async_imap::{Client, Session as Inner};
use postroom_channel::{ConnectError, Guard};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::ImapError;
use crate::limits::{CONNECT_WAIT, RESPONSE_BYTES_EXTRA, SILENCE};
use crate::meter::Meter;
use crate::names::words;
use crate::options::{ImapOptions, Security, SignIn};
use crate::session::{of_io, of_library};
use crate::steady::steady;
use crate::tls;
use crate::token::{Tokens, XOAuth2};

/// What the line goes over.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What a connection is made with.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) options: ImapOptions,
    pub(crate) guard: Guard,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) tokens: Arc<Tokens>,
}

/// Connects and signs in.
pub(crate) async fn signed_in(way: &Way) -> Result<Inner<Meter<Wire>>, ImapError> {
    let opening = timeout(CONNECT_WAIT, async {
        let wire = connect(way).await?;
        let client = greeted(way, wire).await?;
        sign_in(way, client).await
    });
    opening.await.map_err(|_| ImapError::Unreachable("it takes too long".to_owned()))?
}

async fn connect(way: &Way) -> Result<Wire, ImapError> {
    let ImapOptions { host, port, security, .. } = &way.options;
    let connected = way.guard.connect(host, *port).await;
    let mut stream = connected.map_err(|error| match error {
        ConnectError::Refused(refusal) => ImapError::NotAllowed(refusal),
        ConnectError::Failed(words) => ImapError::Unreachable(words),
    })?;
    // A command is one small packet, and its answer is waited for.
    drop(stream.set_nodelay(true));
    if *security == Security::StartTls {
        tls::ask(&mut stream).await?;
    }
    if *security == Security::None {
        return Ok(Wire::Plain(stream));
    }
    let stream = tls::begin(&way.tls, host, stream).await?;
    Ok(Wire::Tls(Box::new(stream)))
}

/// Reads the greeting, where none was read yet. A server that takes us for signed in already is not
/// believed.
async fn greeted(way: &Way, wire: Wire) -> Result<Client<Meter<Wire>>, ImapError> {
    let bytes_max = way.options.message_bytes_max.saturating_add(RESPONSE_BYTES_EXTRA);
    let mut client = Client::new(Meter::new(wire, bytes_max, SILENCE));
    if way.options.security == Security::StartTls {
        return Ok(client);
    }
    let greeting = steady(client.read_response()).await?.map_err(|error| match of_io(&error) {
        ImapError::Unreadable => ImapError::Greeting("it says something else".to_owned()),
        other => other,
    })?;
    let greeting = greeting.ok_or_else(|| ImapError::Closed("without a greeting".to_owned()))?;
    match greeting.parsed() {
        Response::Data { status: Status::Ok, .. } => Ok(client),
        Response::Data { outcome, .. } => {
            Err(ImapError::Greeting(words(outcome.information.as_deref().unwrap_or_default())))
        }
        _ => Err(ImapError::Greeting("it says something else".to_owned())),
    }
}

async fn sign_in(way: &Way, client: Client<Meter<Wire>>) -> Result<Inner<Meter<Wire>>, ImapError> {
    let user = &way.options.username;
    match &way.options.sign_in {
        SignIn::Password(password) => {
            let signed = steady(client.login(user, password)).await?;
            signed.map_err(|(error, _)| refused(of_library(error)))
        }
        SignIn::OAuth(oauth) => {
            let token = way.tokens.get(oauth).await?;
            let said = XOAuth2::new(user, &token);
            match steady(client.authenticate("XOAUTH2", said)).await? {
                Ok(session) => Ok(session),
                Err((error, _)) => {
                    way.tokens.forget(&token).await;
                    Err(refused(of_library(error)))
                }
            }
        }
    }
}

fn refused(error: ImapError) -> ImapError {
    match error {
        ImapError::Refused(words) => ImapError::LoginRefused(words),
        other => other,
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
