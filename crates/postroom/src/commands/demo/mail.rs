//! The mail of the day: it comes in at the listener of a mail channel, as a server delivers it, and is
//! answered where the demo can see the answer arrive. The customer then answers to that.
//!
//! All addresses end in `.example`, which nobody has. Where answers would leave through a server that
//! others use, none is given.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Method;
use postroom_channel_email::{EmailOptions, ListenOptions, Protocol, Security, SmtpOptions};
use postroom_config::{ChannelConfig, Config};
use postroom_model::ChannelKind;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{Desk, Told, WAIT};
use crate::failure::Failure;

const NAME: &str = "Petra Novák";
const ADDRESS: &str = "petra@customer.example";
const SAID: &str = "Can I have the invoice of order 1207 sent to me once more?";
const ANSWER: &str = "Here it comes, with the right date.";
const THANKS: &str = "Thank you, I have it.";
/// Bytes of an answer that are read.
const MAIL_BYTES_MAX: u64 = 1024 * 1024;

/// A mail channel that listens.
pub(super) struct Door<'a> {
    channel: &'a ChannelConfig,
    listen: ListenOptions,
    options: EmailOptions,
}

/// The first mail channel that takes mail by itself.
pub(super) fn door(config: &Config) -> Option<Door<'_>> {
    config.channels.iter().filter(|channel| channel.kind == ChannelKind::Email).find_map(
        |channel| {
            let options = EmailOptions::parse(&channel.options).ok()?;
            Some(Door { channel, listen: options.listen.clone()?, options })
        },
    )
}

impl Desk<'_> {
    /// One mail, its answer, and what the customer writes to that.
    pub(super) async fn write_a_mail(&self, door: &Door<'_>) -> Result<Vec<Told>, Failure> {
        let mut relay = match &door.options.smtp {
            Some(smtp) => Relay::listen(smtp).await,
            None => None,
        };
        let own = door.options.address.to_string();
        let first = format!("demo-{}-mail@customer.example", self.run);
        let (mut told, conversation) = self.mail(door, &own, &first, SAID).await?;
        let agent = self.agents.iter().find(|(name, _)| *name == told.agent);
        let (Some(relay), Some((_, agent))) = (&mut relay, agent) else {
            return Ok(vec![told]);
        };
        let path = format!("/v1/conversations/{conversation}/replies");
        let body = json!({ "text": ANSWER });
        self.client.ask(Method::POST, &path, agent.reveal(), Some(&body)).await?;
        (told.answered, told.answer) = (Some(ANSWER), Some("queued"));
        let Some(reply_to) = relay.answer_to(&first).await else { return Ok(vec![told]) };
        told.answer = Some("arrived");
        let second = format!("demo-{}-thanks@customer.example", self.run);
        let (again, same) = self.mail(door, &reply_to, &second, THANKS).await?;
        if same != conversation {
            let detail = "the answer to an answer came into another conversation";
            return Err(Failure::failed(detail));
        }
        Ok(vec![told, again])
    }

    /// Delivers a mail and waits until it is routed.
    async fn mail(
        &self,
        door: &Door<'_>,
        to: &str,
        id: &str,
        text: &'static str,
    ) -> Result<(Told, String), Failure> {
        let mail = format!(
            "From: =?utf-8?q?Petra_Nov=C3=A1k?= <{ADDRESS}>\r\nTo: {to}\r\nSubject: Invoice\r\n\
             Message-ID: <{id}>\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        );
        let message = deliver(&door.listen, to, &mail).await?;
        let conversation = self.routed(&message).await?;
        let told = Told {
            customer: NAME,
            said: text,
            queue: conversation["queue"].as_str().unwrap_or_default().to_owned(),
            agent: conversation["assignee"].as_str().unwrap_or_default().to_owned(),
            why: self.why(&conversation).await?,
            answered: None,
            answer: None,
        };
        tracing::debug!(channel = %door.channel.id, "a mail was taken");
        Ok((told, conversation["id"].as_str().unwrap_or_default().to_owned()))
    }
}

/// Hands a mail to the listener, and gives the id under which it was stored.
async fn deliver(listen: &ListenOptions, to: &str, mail: &str) -> Result<String, Failure> {
    let mut address = listen.address;
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let failed = |cause: String| Failure::failed(format!("mail to {address}: {cause}"));
    let hello = match listen.protocol {
        Protocol::Lmtp => "LHLO",
        Protocol::Smtp => "EHLO",
    };
    let speaking = async {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        let mut said = answer(&mut stream).await?;
        for line in [
            format!("{hello} customer.example"),
            format!("MAIL FROM:<{ADDRESS}>"),
            format!("RCPT TO:<{to}>"),
            "DATA".to_owned(),
            format!("{mail}."),
        ] {
            if !said.starts_with(['2', '3']) {
                break;
            }
            stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
            said = answer(&mut stream).await?;
        }
        Ok::<String, std::io::Error>(said)
    };
    let said = timeout(2 * WAIT, speaking).await.map_err(|_| failed("no answer".to_owned()))?;
    let said = said.map_err(|error| failed(error.to_string()))?;
    let id = said.trim_end().rsplit_once("stored as ").map(|(_, id)| id.to_owned());
    id.ok_or_else(|| failed(said))
}

/// The last line of the next answer.
async fn answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    loop {
        let mut line = String::new();
        let read = stream.take(MAIL_BYTES_MAX).read_line(&mut line).await?;
        if read == 0 || line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}

/// The server through which answers leave, played by the demo: where it is one of this machine whose port
/// is free.
struct Relay {
    mails: mpsc::Receiver<String>,
    _listening: AbortOnDropHandle<()>,
}

impl Relay {
    async fn listen(smtp: &SmtpOptions) -> Option<Self> {
        let plain = smtp.security == Security::None;
        let mut found = tokio::net::lookup_host((smtp.host.as_str(), smtp.port)).await.ok()?;
        let address: SocketAddr = found.find(|at| plain && at.ip().is_loopback())?;
        let listener = TcpListener::bind(address).await.ok()?;
        let (sender, mails) = mpsc::channel(16);
        let listening = TaskTracker::new().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One after the other is enough for a demo.
                drop(take(stream, &sender).await);
            }
        });
        Some(Self { mails, _listening: AbortOnDropHandle::new(listening) })
    }

    /// Waits for the answer to this mail, and gives the address to which one answers that.
    async fn answer_to(&mut self, id: &str) -> Option<String> {
        let waiting = async {
            loop {
                let mail = self.mails.recv().await?;
                if bracketed(&mail, "In-Reply-To")? == id {
                    return bracketed(&mail, "Reply-To").map(str::to_owned);
                }
            }
        };
        timeout(WAIT, waiting).await.ok().flatten()
    }
}

/// Takes mails on one connection until the other side leaves.
async fn take(stream: TcpStream, mails: &mpsc::Sender<String>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"220 demo ESMTP\r\n").await?;
    let mut mail: Option<String> = None;
    loop {
        let mut line = String::new();
        if (&mut stream).take(MAIL_BYTES_MAX).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let said = match &mut mail {
            Some(text) if line == ".\r\n" => {
                // Nobody waits for more than one.
                drop(mails.try_send(std::mem::take(text)));
                mail = None;
                "250 2.0.0 taken"
            }
            Some(text) => {
                text.push_str(&line);
                continue;
            }
            None if line.starts_with("DATA") => {
                mail = Some(String::new());
                "354 go ahead"
            }
            None if line.starts_with("QUIT") => "221 2.0.0 bye",
            None => "250 demo",
        };
        stream.get_mut().write_all(format!("{said}\r\n").as_bytes()).await?;
    }
}

/// What stands in the brackets of a field of ours, which are short.
fn bracketed<'a>(mail: &'a str, name: &str) -> Option<&'a str> {
    let head = mail.split("\r\n\r\n").next()?;
    let at = head.find(&format!("\r\n{name}: "))?;
    let value = head.get(at..)?.split_once('<')?.1;
    value.split_once('>').map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::bracketed;

    #[test]
    fn brackets_are_read_from_folded_fields_and_never_from_the_text() {
        let mail = "From: a <a@b>\r\nReply-To: Example\r\n <c+1@d>\r\n\r\nIn-Reply-To: <x>\r\n";
        assert_eq!(bracketed(mail, "Reply-To"), Some("c+1@d"));
        assert_eq!(bracketed(mail, "In-Reply-To"), None);
    }
}
