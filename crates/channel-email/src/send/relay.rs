//! Hands mails to the configured server, over connections that are kept for a while.
//!
//! The name of the server is resolved here, and only addresses that may be reached are connected to
//! (P10). Each step is one of the library's, so that it is known how far an attempt came.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use postroom_channel::{Guard, SendError};
use tokio::time::{Instant, timeout_at};

use super::error::{self, Phase};
use crate::limits::{SMTP_IDLE_MAX, SMTP_IDLE_S_MAX};
use crate::options::{Login, Pass, Security, SmtpOptions};

/// How much of a mail is written at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long a kept connection may take to say that it is still there.
const STILL_THERE: Duration = Duration::from_secs(3);

/// Gives a token to sign in with. Asked with one that the server refused, it gives another the next time.
#[derive(Clone)]
pub struct Passes(Arc<Ask>);

type Ask = dyn Fn(Option<String>) -> Asked + Send + Sync;
type Asked = Pin<Box<dyn Future<Output = Result<String, SendError>> + Send>>;

impl Passes {
    pub fn new<F>(ask: impl Fn(Option<String>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, SendError>> + Send + 'static,
    {
        Self(Arc::new(move |refused| Box::pin(ask(refused))))
    }

    async fn get(&self) -> Result<String, SendError> {
        (self.0)(None).await
    }

    async fn refuse(&self, pass: String) {
        drop((self.0)(Some(pass)).await);
    }
}

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passes")
    }
}

pub(super) struct Relay {
    options: SmtpOptions,
    hello: ClientId,
    guard: Guard,
    passes: Option<Passes>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn new(options: SmtpOptions, hello: String, guard: Guard) -> Self {
        Self {
            options,
            hello: ClientId::Domain(hello),
            guard,
            passes: None,
            idle: Mutex::default(),
        }
    }

    pub(super) fn take_passes(&mut self, passes: Passes) {
        self.passes = Some(passes);
    }

    /// One attempt.
    pub(super) async fn hand_over(
        &self,
        envelope: &Envelope,
        mail: &[u8],
    ) -> Result<(), SendError> {
        let ready_by = Instant::now() + self.options.timeout;
        let mut connection = self.connection(ready_by).await?;
        let mut phase = Phase::Envelope;
        // The answer to the mail itself is waited for as long as the attempt may last.
        let announcing = announce(&mut connection, envelope, mail);
        match timeout_at(ready_by, announcing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error::of(phase, &error)),
            Err(_) => return Err(error::too_slow(phase)),
        }
        let chunks = Chunks { rest: mail, phase: &mut phase };
        let sent = connection.message_iter(chunks).await;
        match sent {
            Ok(_) => {
                self.keep(connection);
                Ok(())
            }
            Err(error) => Err(error::of(phase, &error)),
        }
    }

    /// Connects and signs in.
    pub(super) async fn examine(&self) -> Result<(), SendError> {
        let mut connection = self.connect(Instant::now() + self.options.timeout).await?;
        drop(tokio::time::timeout(STILL_THERE, connection.quit()).await);
        Ok(())
    }

    async fn connection(&self, by: Instant) -> Result<AsyncSmtpConnection, SendError> {
        while let Some(mut connection) = self.kept() {
            let answer = tokio::time::timeout(STILL_THERE, connection.test_connected()).await;
            if answer == Ok(true) {
                return Ok(connection);
            }
        }
        self.connect(by).await
    }

    async fn connect(&self, by: Instant) -> Result<AsyncSmtpConnection, SendError> {
        let SmtpOptions { host, port, .. } = &self.options;
        let addresses = timeout_at(by, self.guard.addresses(host, *port)).await;
        let addresses = addresses.map_err(|_| error::too_slow(Phase::Connect))?;
        let addresses = addresses.map_err(|error| error::guarded(&error))?;
        let opening = self.open(&addresses);
        let mut connection = match timeout_at(by, opening).await {
            Ok(opened) => opened.map_err(|error| error::of(Phase::Connect, &error))?,
            Err(_) => return Err(error::too_slow(Phase::Connect)),
        };
        if let Some(login) = &self.options.login {
            let entering = self.sign_in(&mut connection, login);
            timeout_at(by, entering).await.map_err(|_| error::too_slow(Phase::Login))??;
        }
        Ok(connection)
    }

    async fn sign_in(
        &self,
        connection: &mut AsyncSmtpConnection,
        login: &Login,
    ) -> Result<(), SendError> {
        let (user, refused) = (login.user.clone(), |error| error::of(Phase::Login, &error));
        let passes = match &login.pass {
            Pass::Password(password) => {
                let credentials = Credentials::new(user, password.clone());
                let entered = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
                return entered.map(drop).map_err(refused);
            }
            Pass::Token => self.passes.as_ref(),
        };
        let Some(passes) = passes else {
            let detail = "nothing gives a token to sign in with";
            return Err(SendError::retryable("smtp_login_refused", detail));
        };
        let token = passes.get().await?;
        let credentials = Credentials::new(user, token.clone());
        match connection.auth(&[Mechanism::Xoauth2], &credentials).await {
            Ok(_) => Ok(()),
            Err(error) => {
                passes.refuse(token).await;
                Err(refused(error))
            }
        }
    }

    async fn open(
        &self,
        addresses: &[std::net::SocketAddr],
    ) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let SmtpOptions { security, timeout, .. } = &self.options;
        let tls = match security {
            Security::None => None,
            Security::Implicit | Security::StartTls => Some(self.tls()?),
        };
        let at_once = tls.clone().filter(|_| *security == Security::Implicit);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            addresses,
            Some(*timeout),
            &self.hello,
            at_once,
            None,
        )
        .await?;
        if let Some(tls) = tls.filter(|_| *security == Security::StartTls) {
            connection.starttls(tls, &self.hello).await?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, lettre::transport::smtp::Error> {
        let mut builder = TlsParameters::builder(self.options.host.clone());
        if let Some(ca) = &self.options.ca {
            builder = builder.add_root_certificate(Certificate::from_pem(ca.as_bytes())?);
        }
        builder.build()
    }

    fn kept(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = Duration::from_secs(SMTP_IDLE_S_MAX);
        idle.retain(|one| one.since.elapsed() < oldest);
        idle.pop().map(|one| one.connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < SMTP_IDLE_MAX {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }
}

/// Everything before the mail itself. One recipient that is refused, and nobody gets it.
async fn announce(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    mail: &[u8],
) -> Result<(), lettre::transport::smtp::Error> {
    let mut parameters = Vec::new();
    let server = connection.server_info();
    let mut all = envelope.from().into_iter().chain(envelope.to());
    if all.any(|address| !(address.user().is_ascii() && address.domain().is_ascii()))
        && server.supports_feature(Extension::SmtpUtfEight)
    {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !mail.is_ascii() && server.supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await?;
    for recipient in envelope.to() {
        connection.command(Rcpt::new(recipient.clone(), vec![])).await?;
    }
    connection.command(Data).await?;
    Ok(())
}

/// The mail in pieces. Its end is written only after the last of them, so that what breaks off
/// before is no mail.
struct Chunks<'a> {
    rest: &'a [u8],
    phase: &'a mut Phase,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            *self.phase = Phase::Sent;
            return None;
        }
        let (chunk, rest) = self.rest.split_at(self.rest.len().min(CHUNK_BYTES));
        self.rest = rest;
        Some(chunk)
    }
}
