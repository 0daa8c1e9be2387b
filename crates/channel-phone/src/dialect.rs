//! The dialects: one format of one telephone system each. Pure; a dialect does no I/O.

mod asterisk_ami;
pub(crate) mod asterisk_cdr;
mod asterisk_cel;
mod cti;
mod freeswitch;
mod generic;
mod placetel;
mod twilio;
mod whatsapp;

use postroom_channel::{OptionError, PushRequest, Refusal};

use crate::desk::{Desk, Held, Sink};
use crate::options::nearest;

/// The format in which a telephone system tells of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    AsteriskCdr,
    AsteriskCel,
    AsteriskAmi,
    FreeswitchCdr,
    TwilioVoice,
    ZammadCti,
    Sipgate,
    Placetel,
    WhatsappCalls,
    /// Postroom's own, signed as Standard Webhooks.
    Generic,
}

impl Dialect {
    pub const ALL: [Self; 10] = [
        Self::AsteriskCdr,
        Self::AsteriskCel,
        Self::AsteriskAmi,
        Self::FreeswitchCdr,
        Self::TwilioVoice,
        Self::ZammadCti,
        Self::Sipgate,
        Self::Placetel,
        Self::WhatsappCalls,
        Self::Generic,
    ];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// As it stands in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsteriskCdr => "asterisk-cdr",
            Self::AsteriskCel => "asterisk-cel",
            Self::AsteriskAmi => "asterisk-ami",
            Self::FreeswitchCdr => "freeswitch-cdr",
            Self::TwilioVoice => "twilio-voice",
            Self::ZammadCti => "zammad-cti",
            Self::Sipgate => "sipgate",
            Self::Placetel => "placetel",
            Self::WhatsappCalls => "whatsapp-calls",
            Self::Generic => "generic",
        }
    }

    /// Whether it is a log that is read, not something that is posted: what cannot be read of it is
    /// set aside, because nobody waits for an answer.
    pub fn is_log(self) -> bool {
        matches!(self, Self::AsteriskCdr | Self::AsteriskCel | Self::AsteriskAmi)
    }

    /// Bytes of the line of names with which a log begins; 0 if it begins with a record.
    pub(crate) fn head_bytes(self, log: &[u8]) -> usize {
        let line = log.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let names = match self {
            Self::AsteriskCdr => asterisk_cdr::names_columns(line),
            Self::AsteriskCel => asterisk_cel::names_columns(line),
            _ => false,
        };
        if names { line.len() } else { 0 }
    }

    /// Names of columns that a log of this dialect does not have. One that is of no use is `-`.
    pub(crate) fn wrong_columns(self, columns: &[String]) -> Option<OptionError> {
        let (is_known, known): (fn(&str) -> bool, Vec<&str>) = match self {
            Self::AsteriskCdr => (asterisk_cdr::is_column, asterisk_cdr::column_names().collect()),
            Self::AsteriskCel => (asterisk_cel::is_column, asterisk_cel::column_names().collect()),
            _ => return None,
        };
        let Some(wrong) = columns.iter().find(|name| *name != "-" && !is_known(name)) else {
            return self.missing_column(columns);
        };
        let help = match nearest(wrong, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write `-` for a column that is of no use".to_owned(),
        };
        let message = format!("there is no column `{wrong}` in such a log");
        Some(OptionError::new("columns", message, help))
    }

    /// Without it every record would be set aside.
    fn missing_column(self, columns: &[String]) -> Option<OptionError> {
        if self != Self::AsteriskCdr || columns.is_empty() {
            return None;
        }
        let name = asterisk_cdr::missing_column(columns)?;
        let message = format!("without the column `{name}` no call can be read");
        Some(OptionError::new(
            "columns",
            message,
            format!("write `{name}` where it stands in a line"),
        ))
    }

    /// Reads a body and gives every event in it to `sink`. The signature is not looked at. Nothing
    /// is given of a post that is refused.
    pub fn parse(
        self,
        request: &PushRequest<'_>,
        desk: &Desk<'_>,
        sink: Sink<'_>,
    ) -> Result<Held, Refusal> {
        match self {
            Self::AsteriskCdr => asterisk_cdr::parse(request.body, desk, sink),
            Self::AsteriskCel => asterisk_cel::parse(request.body, desk, sink),
            Self::AsteriskAmi => asterisk_ami::parse(request.body, desk, sink),
            Self::FreeswitchCdr => freeswitch::parse(request, desk, sink),
            Self::TwilioVoice => twilio::parse(request, desk, sink),
            Self::ZammadCti => cti::parse(cti::House::Zammad, request, desk, sink),
            Self::Sipgate => cti::parse(cti::House::Sipgate, request, desk, sink),
            Self::Placetel => placetel::parse(request, desk, sink),
            Self::WhatsappCalls => whatsapp::parse(request, desk, sink),
            Self::Generic => generic::parse(request, desk, sink),
        }
    }
}
