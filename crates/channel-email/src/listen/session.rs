//! One conversation of LMTP or SMTP, from the greeting to the end.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use postroom_channel::Inlet;
use smtp_proto::{Error, Request};

use super::forward::Forward;
use super::house::House;
use super::wire::{Data, End, Line, Wire};
use crate::letterbox::Envelope;
use crate::limits::{COMMANDS_MAX, MISTAKES_MAX, PATH_BYTES_MAX};
use crate::options::Protocol;
use crate::proof::Way;

/// Who takes part, and how far it has come.
pub(super) struct Session {
    house: Arc<House>,
    inlet: Arc<dyn Inlet>,
    peer: IpAddr,
    greeted: bool,
    encrypted: bool,
    /// The name by which the other side greeted.
    hello: String,
    /// Whom the server that delivers had before it.
    forward: Forward,
    sender: Option<String>,
    recipients: Vec<Recipient>,
    commands: usize,
    mistakes: usize,
}

/// An address whose mail is taken.
#[derive(Debug, Clone)]
struct Recipient {
    address: String,
    /// Place of its channel in the house.
    place: usize,
}

/// A mail that came whole.
#[derive(Debug, Clone)]
struct Mail {
    bytes: Bytes,
    sender: String,
    /// What the DNS says of it.
    results: Option<String>,
}

/// What follows from a command.
enum Step {
    Say(String),
    /// It was refused.
    Refuse(&'static str),
    Data,
    StartTls,
    Quit,
}

const OK: &str = "250 2.0.0 good";
const TLS_UNCLEAN: &str = "503 5.5.1 nothing may follow STARTTLS before TLS begins";

impl Session {
    pub(super) fn new(house: Arc<House>, inlet: Arc<dyn Inlet>, peer: IpAddr) -> Self {
        Self {
            house,
            inlet,
            peer,
            greeted: false,
            encrypted: false,
            hello: String::new(),
            forward: Forward::default(),
            sender: None,
            recipients: Vec::new(),
            commands: 0,
            mistakes: 0,
        }
    }

    pub(super) async fn run(mut self, mut wire: Wire) -> Result<(), End> {
        let options = &self.house.options;
        let greeting = format!("220 {} {} Postroom", options.hostname, esmtp(options.protocol));
        wire.say(&greeting).await?;
        loop {
            self.commands += 1;
            if self.commands > COMMANDS_MAX || self.mistakes > MISTAKES_MAX {
                wire.say("421 4.7.0 too many commands, or too many that were refused").await?;
                return Err(End::Limit("COMMANDS_MAX"));
            }
            let line = match wire.line().await {
                Ok(line) => line,
                Err(end) => return Self::part(wire, end).await,
            };
            let step = match &line {
                Line::Whole(line) => self.step(line),
                Line::TooLong => Step::Refuse("500 5.5.2 the line is too long"),
                Line::Broken => {
                    wire.say("521 5.5.2 a line ends with CR and LF together").await?;
                    return Err(End::Limit("CR or LF alone"));
                }
            };
            match step {
                Step::Say(text) => wire.say(&text).await?,
                Step::Refuse(text) => {
                    self.mistakes += 1;
                    wire.say(text).await?;
                }
                Step::Quit => return wire.say("221 2.0.0 bye").await,
                Step::StartTls if wire.has_more() => {
                    wire.say(TLS_UNCLEAN).await?;
                    return Err(End::Limit("a command behind STARTTLS"));
                }
                Step::StartTls => wire = self.encrypt(wire).await?,
                Step::Data => {
                    if let Err(end) = self.data(&mut wire).await {
                        return Self::part(wire, end).await;
                    }
                }
            }
        }
    }

    /// Tells the other side why it ends, where that helps.
    async fn part(mut wire: Wire, end: End) -> Result<(), End> {
        let words = match end {
            End::Shutdown => "421 4.3.2 the program ends, try again",
            End::Silent => "421 4.4.2 it was silent for too long",
            End::Limit(_) => "421 4.3.0 a limit was reached",
            End::Gone | End::Broken(_) => return Err(end),
        };
        wire.say(words).await?;
        Err(end)
    }

    fn step(&mut self, line: &[u8]) -> Step {
        if self.takes_forward()
            && let Some(told) = Forward::line(line)
        {
            return self.forwarded(told);
        }
        let request = match Request::parse(&mut line.iter()) {
            Ok(request) => request.into_owned(),
            Err(error) => return Step::Refuse(refusal(&error)),
        };
        let lmtp = self.house.options.protocol == Protocol::Lmtp;
        match request {
            Request::Lhlo { host } if lmtp => self.hello(host),
            Request::Ehlo { host } if !lmtp => self.hello(host),
            Request::Helo { host } if !lmtp => {
                self.reset();
                (self.greeted, self.hello) = (true, host);
                Step::Say(format!("250 {}", self.house.options.hostname))
            }
            Request::Noop { .. } => Step::Say(OK.to_owned()),
            Request::Rset => {
                self.reset();
                Step::Say(OK.to_owned())
            }
            Request::Quit => Step::Quit,
            Request::StartTls if self.house.tls.is_some() && !self.encrypted => Step::StartTls,
            _ if !self.greeted => Step::Refuse("503 5.5.1 say hello first"),
            Request::Mail { from } => self.mail(from.address, from.size),
            Request::Rcpt { to } => self.recipient(to.address),
            Request::Data if self.recipients.is_empty() => {
                Step::Refuse("503 5.5.1 nobody is named to whom it goes")
            }
            Request::Data => Step::Data,
            Request::Vrfy { .. } => Step::Say("252 2.1.5 send it and see".to_owned()),
            _ => Step::Refuse("502 5.5.1 there is no such command here"),
        }
    }

    fn hello(&mut self, host: String) -> Step {
        self.reset();
        (self.greeted, self.hello) = (true, host);
        let options = &self.house.options;
        let mut lines = vec![
            options.hostname.clone(),
            "PIPELINING".to_owned(),
            format!("SIZE {}", options.mail_bytes_max),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
        ];
        if self.house.tls.is_some() && !self.encrypted {
            lines.push("STARTTLS".to_owned());
        }
        if self.takes_forward() {
            lines.push(format!("XFORWARD {}", Forward::KEYS));
        }
        let mut text: Vec<String> = lines.iter().map(|line| format!("250-{line}")).collect();
        // What stands after the number tells that it is the last one.
        text.push("250 ENHANCEDSTATUSCODES".to_owned());
        Step::Say(text.join("\r\n"))
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
        self.forward = Forward::default();
    }

    /// Only a server of ours delivers by LMTP, and may tell for whom.
    fn takes_forward(&self) -> bool {
        self.house.prover.is_some() && self.house.options.protocol == Protocol::Lmtp
    }

    fn forwarded(&mut self, told: &str) -> Step {
        if self.sender.is_some() {
            return Step::Refuse("503 5.5.1 a mail has begun already");
        }
        self.forward.take(told);
        Step::Say(OK.to_owned())
    }

    fn mail(&mut self, sender: String, size: usize) -> Step {
        if self.sender.is_some() {
            return Step::Refuse("503 5.5.1 a mail has begun already");
        }
        if size > self.house.options.mail_bytes_max {
            return Step::Refuse("552 5.3.4 the mail is larger than mail_bytes_max");
        }
        if sender.len() > PATH_BYTES_MAX {
            return Step::Refuse("501 5.1.7 the address is too long");
        }
        self.sender = Some(sender);
        Step::Say("250 2.1.0 good".to_owned())
    }

    fn recipient(&mut self, address: String) -> Step {
        if self.sender.is_none() {
            return Step::Refuse("503 5.5.1 say MAIL first");
        }
        if address.len() > PATH_BYTES_MAX {
            return Step::Refuse("501 5.1.3 the address is too long");
        }
        // Not a mistake: the rest is sent in another turn (RFC 5321, 4.5.3.1.10).
        if self.recipients.len() >= self.house.options.recipients_max {
            return Step::Say("452 4.5.3 too many recipients in one mail".to_owned());
        }
        match self.house.find(&address) {
            Some(place) => {
                self.recipients.push(Recipient { address, place });
                Step::Say("250 2.1.5 good".to_owned())
            }
            None => Step::Refuse("550 5.1.1 no channel has this address"),
        }
    }

    async fn encrypt(&mut self, mut wire: Wire) -> Result<Wire, End> {
        let Some(tls) = self.house.tls.clone() else { return Ok(wire) };
        wire.say("220 2.0.0 go ahead").await?;
        let (io, idle, shutdown) = wire.into_io();
        let encrypted = tokio::time::timeout(idle, tls.accept(io)).await;
        let io = encrypted.map_err(|_| End::Silent)??;
        // What was said in the clear is forgotten (RFC 3207, 4.2).
        self.reset();
        (self.greeted, self.encrypted) = (false, true);
        Ok(Wire::new(Box::new(io), idle, shutdown))
    }

    async fn data(&mut self, wire: &mut Wire) -> Result<(), End> {
        wire.say("354 end with a line that holds a dot").await?;
        let data = wire.data(self.house.options.mail_bytes_max).await?;
        let sender = self.sender.take().unwrap_or_default();
        let recipients = std::mem::take(&mut self.recipients);
        let forward = std::mem::take(&mut self.forward);
        let refused = match data {
            Data::Whole(mail) => {
                let mail = Bytes::from(mail);
                let results = self.results(&mail, &sender, forward).await;
                let mail = Mail { bytes: mail, sender, results };
                let answers = self.deliver(&mail, &recipients).await;
                return self.answer(wire, &answers).await;
            }
            Data::TooLarge => "552 5.3.4 the mail is larger than mail_bytes_max",
            Data::LineTooLong => "550 5.6.0 a line of the mail has no end",
            Data::Broken => "550 5.6.11 the mail holds CR or LF alone",
        };
        self.mistakes += 1;
        self.answer(wire, &vec![refused.to_owned(); recipients.len()]).await
    }

    /// LMTP answers for each recipient, SMTP for all: with the first that is no success, so that the
    /// mail stays with the other side. Whoever has it already knows it again.
    async fn answer(&self, wire: &mut Wire, answers: &[String]) -> Result<(), End> {
        if self.house.options.protocol == Protocol::Lmtp {
            return wire.say(&answers.join("\r\n")).await;
        }
        let failed = answers.iter().find(|answer| !answer.starts_with('2'));
        match failed.or(answers.first()) {
            Some(answer) => wire.say(answer).await,
            None => Ok(()),
        }
    }

    /// What the DNS says of who sent it, if that is asked here.
    async fn results(&self, mail: &Bytes, sender: &str, forward: Forward) -> Option<String> {
        let prover = self.house.prover.as_ref()?;
        let lmtp = self.house.options.protocol == Protocol::Lmtp;
        let met = || (Some(self.peer), self.hello.clone());
        let (client, hello) = if lmtp { (forward.client, forward.hello) } else { met() };
        let (sender, host) = (sender.to_owned(), self.house.options.hostname.clone());
        Some(prover.results(mail, Way { client, hello, sender, host }).await)
    }

    /// Gives the mail to each channel once, and the answer for each recipient, in their order.
    async fn deliver(&self, mail: &Mail, recipients: &[Recipient]) -> Vec<String> {
        let mut answers: Vec<Option<String>> = vec![None; self.house.boxes.len()];
        for Recipient { place, .. } in recipients {
            if answers.get(*place).is_some_and(Option::is_none) {
                let own = recipients.iter().filter(|one| one.place == *place);
                let own: Vec<String> = own.map(|one| one.address.clone()).collect();
                let answer = self.deliver_to(*place, mail, own).await;
                if let Some(slot) = answers.get_mut(*place) {
                    *slot = Some(answer);
                }
            }
        }
        let lost = || "451 4.3.0 try again".to_owned();
        let answers = recipients.iter().map(|one| answers.get(one.place).cloned().flatten());
        answers.map(|answer| answer.unwrap_or_else(lost)).collect()
    }

    async fn deliver_to(&self, place: usize, mail: &Mail, recipients: Vec<String>) -> String {
        let Some(one) = self.house.boxes.get(place) else {
            return "451 4.3.0 try again".to_owned();
        };
        let channel = &one.channel;
        let (letterbox, taken, mail) = (Arc::clone(&one.letterbox), mail.clone(), &mail.bytes);
        // Taking a large mail apart keeps a processor for a while.
        let reading = tokio::task::spawn_blocking(move || {
            let results = taken.results.as_deref().filter(|_| !letterbox.believes_another());
            let envelope =
                Envelope { recipients: &recipients, sender: Some(&taken.sender), results };
            letterbox.receive(&taken.bytes, &envelope)
        });
        let taken = match reading.await {
            Ok(Ok(received)) => match self.inlet.accept(channel, received).await {
                Ok(accepted) => Ok(accepted.messages.first().map(ToString::to_string)),
                // It will not fit the next time either.
                Err(error) if !error.retryable() => {
                    self.park(channel, mail, error.code(), &error.to_string()).await
                }
                Err(error) => Err(error),
            },
            Ok(Err(error)) => self.park(channel, mail, error.code(), &error.to_string()).await,
            Err(_) => self.park(channel, mail, "mail_unreadable", "reading it broke off").await,
        };
        match taken {
            Ok(Some(id)) => format!("250 2.0.0 stored as {id}"),
            Ok(None) => "250 2.0.0 stored".to_owned(),
            Err(error) => {
                let (code, peer) = (error.code(), self.peer);
                tracing::warn!(%channel, %peer, code, "a mail could not be stored; it comes again");
                match error {
                    postroom_channel::AcceptError::Full => {
                        "452 4.3.1 the storage is full".to_owned()
                    }
                    _ => "451 4.3.0 it could not be stored, try again".to_owned(),
                }
            }
        }
    }

    /// Sets it aside, raw.
    async fn park(
        &self,
        channel: &postroom_model::ChannelId,
        mail: &Bytes,
        code: &str,
        detail: &str,
    ) -> Result<Option<String>, postroom_channel::AcceptError> {
        self.inlet.accept_unparsed(channel, mail.clone(), code, detail).await?;
        Ok(None)
    }
}

fn esmtp(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Lmtp => "LMTP",
        Protocol::Smtp => "ESMTP",
    }
}

fn refusal(error: &Error) -> &'static str {
    match error {
        Error::UnknownCommand => "500 5.5.1 there is no such command",
        Error::InvalidSenderAddress => "501 5.1.7 that is no address",
        Error::InvalidRecipientAddress => "501 5.1.3 that is no address",
        Error::InvalidParameter { .. } => "501 5.5.4 a parameter is wrong",
        Error::UnsupportedParameter { .. } => "555 5.5.4 a parameter is not known here",
        _ => "501 5.5.2 the command is not understood",
    }
}
