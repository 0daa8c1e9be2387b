//! Rows of the sheet by their type: what the router asks while it decides. Only views; nothing changes.

use postroom_model::{
    Address, AgentId, ChannelId, Contact, ContactId, Conversation, ConversationId, InputId,
    MessageId, ParkedId, Presence, Settings,
};

use crate::{Key, OutboundRow, Parked, Row, Seen, Sheet, Totals};

/// Typed views of [`Sheet::get`].
impl Sheet {
    pub fn conversation(&self, id: ConversationId) -> Option<&Conversation> {
        match self.get(&Key::Conversation(id))? {
            Row::Conversation(conversation) => Some(conversation),
            _ => None,
        }
    }

    pub fn contact(&self, id: ContactId) -> Option<&Contact> {
        match self.get(&Key::Contact(id))? {
            Row::Contact(contact) => Some(contact),
            _ => None,
        }
    }

    /// Whose address it is.
    pub fn address(&self, address: &Address) -> Option<ContactId> {
        match self.get(&Key::Address(address.clone()))? {
            Row::Address(contact) => Some(*contact),
            _ => None,
        }
    }

    /// Which conversation the thread leads to.
    pub fn thread(&self, channel: &ChannelId, thread: &str) -> Option<ConversationId> {
        match self.get(&Key::Thread(channel.clone(), thread.to_owned()))? {
            Row::Thread(conversation) => Some(*conversation),
            _ => None,
        }
    }

    pub fn seen(&self, input: InputId) -> Option<&Seen> {
        match self.get(&Key::Seen(input))? {
            Row::Seen(seen) => Some(seen),
            _ => None,
        }
    }

    pub fn presence(&self, agent: &AgentId) -> Option<&Presence> {
        match self.get(&Key::Presence(agent.clone()))? {
            Row::Presence(presence) => Some(presence),
            _ => None,
        }
    }

    pub fn outbound(&self, message: MessageId) -> Option<&OutboundRow> {
        match self.get(&Key::Outbound(message))? {
            Row::Outbound(outbound) => Some(outbound),
            _ => None,
        }
    }

    /// Which reply has the id that the provider gave it.
    pub fn sent(&self, channel: &ChannelId, external_id: &str) -> Option<MessageId> {
        match self.get(&Key::Sent(channel.clone(), external_id.to_owned()))? {
            Row::Sent(message) => Some(*message),
            _ => None,
        }
    }

    pub fn parked(&self, id: ParkedId) -> Option<&Parked> {
        match self.get(&Key::Parked(id))? {
            Row::Parked(parked) => Some(parked),
            _ => None,
        }
    }

    /// None while they are not loaded; all zero where nothing was ever counted.
    pub fn totals(&self) -> Option<Totals> {
        match self.get(&Key::Totals) {
            Some(Row::Totals(totals)) => Some(*totals),
            _ => self.is_loaded(&Key::Totals).then(Totals::default),
        }
    }

    pub fn settings(&self) -> Option<&Settings> {
        match self.get(&Key::Settings)? {
            Row::Settings(settings) => Some(settings),
            _ => None,
        }
    }
}
